"""What is pressed and filled in under the bot's messages: buttons and the form; Discord calls them components."""
