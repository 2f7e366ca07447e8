"""Buttons and forms under the bot's messages; Discord calls them components."""
