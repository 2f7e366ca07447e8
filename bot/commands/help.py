"""``/help``."""

from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands

from bot.help import help_text
from bot.orders.origin import Origin

if TYPE_CHECKING:
    from bot.client import Palimpsest


@app_commands.command(name="help")
@app_commands.guild_install()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def help_command(interaction: discord.Interaction) -> None:
    """How to use me, and which model paints here"""
    text = help_text(cast("Palimpsest", interaction.client), Origin.of_interaction(interaction))
    await interaction.response.send_message(text, ephemeral=True)
