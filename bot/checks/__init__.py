"""``python -m bot check``: what keeps this machine from running the bot, and how to fix it."""
