"""``python -m bot check``: what stands between this machine and a working bot, and how to fix it."""
