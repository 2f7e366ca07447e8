"""``/queue``: what is running and waiting, and how long that takes on this machine."""

import discord
from discord import app_commands

from bot.commands.shared import client_of, send_ephemeral
from bot.display.queue import queue_text
from bot.errors import Refused
from bot.orders.origin import Origin
from bot.orders.tables import budget_used


@app_commands.command(name="queue")
async def queue(interaction: discord.Interaction) -> None:
    """What's waiting, where your pictures are in line, and how long it will take"""
    client = client_of(interaction)
    running, waiting = client.desk.snapshot()
    origin, allowances = Origin.of_interaction(interaction), client.admission.allowances
    refused: Refused | None = None
    try:
        await allowances.require(origin)
    except Refused as error:
        refused = error
    text = queue_text(
        running,
        waiting,
        interaction.user.id,
        [budget_used(budget) for budget in await allowances.budgets(origin)],
        refused=refused,
        is_paused=client.desk.is_paused,
        is_draining=client.admission.is_draining,
        resting=client.desk.resting,
    )
    await send_ephemeral(interaction, text)
