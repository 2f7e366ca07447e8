"""A stand-in for Discord on this machine: REST, gateway, files and a web page, in a process of its own.

It knows nothing about the bot that connects to it. Its rules follow Discord's documentation
(https://discord.com/developers/docs), and requests are validated against Discord's own OpenAPI document.
"""
