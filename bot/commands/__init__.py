"""The slash commands, one feature per file."""
