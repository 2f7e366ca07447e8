"""Messages to the bot, as another way to ask than a command."""
