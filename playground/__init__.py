"""Stand in for Discord on this machine: REST, gateway, files and a page, as a process of its own.

It knows nothing of the bot that connects to it. What it enforces is written after Discord's documentation
(https://discord.com/developers/docs) and judged by Discord's own OpenAPI document.
"""
