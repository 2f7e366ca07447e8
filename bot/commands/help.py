"""``/help``."""

import discord
from discord import app_commands

from bot.commands.shared import client_of, send_ephemeral
from bot.help import help_text
from bot.orders.origin import Origin


@app_commands.command(name="help")
async def help_command(interaction: discord.Interaction) -> None:
    """How to use me, and which model I use here"""
    await send_ephemeral(interaction, help_text(client_of(interaction), Origin.of_interaction(interaction)))
