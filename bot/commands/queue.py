"""``/queue``: what runs and waits, and how long that takes on this machine."""

from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands

from bot.display.cards import queue_text
from bot.orders.origin import Origin

if TYPE_CHECKING:
    from bot.client import Palimpsest


@app_commands.command(name="queue")
@app_commands.guild_install()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def queue(interaction: discord.Interaction) -> None:
    """What waits, where your pictures stand, and how long it takes"""
    client = cast("Palimpsest", interaction.client)
    running, waiting = client.desk.snapshot()
    budgets = await client.front_desk.allowances.budgets(Origin.of_interaction(interaction))
    text = queue_text(
        running,
        waiting,
        interaction.user.id,
        budgets,
        is_paused=client.desk.is_paused,
        resting=client.desk.resting,
    )
    await interaction.response.send_message(text, ephemeral=True)
