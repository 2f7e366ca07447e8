"""``/operator``: pause, resume, drain, change the model, delete and block, for the person who runs the bot."""

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.commands.shared import client_of, model_choices, operators_group, send_ephemeral
from bot.errors import Refused
from bot.moderation.actions import block_member
from bot.replies import counted
from bot.storage.policies import EVERYWHERE

if TYPE_CHECKING:
    from bot.client import Palimpsest

operator = operators_group("operator", "For the operator of the bot")


@operator.command(name="pause")
async def pause(interaction: discord.Interaction) -> None:
    """Start nothing new; requests wait in the queue"""
    client = _operators_client(interaction)
    client.desk.pause()
    await send_ephemeral(
        interaction, "Paused. What's running will finish; everything else waits until `/operator resume`."
    )


@operator.command(name="resume")
async def resume(interaction: discord.Interaction) -> None:
    """Continue after a pause or drain"""
    client = _operators_client(interaction)
    client.desk.unpause()
    client.admission.is_draining = False
    await send_ephemeral(interaction, "Resumed.")


@operator.command(name="drain")
async def drain(interaction: discord.Interaction) -> None:
    """Take no new requests and finish what's in the queue"""
    client = _operators_client(interaction)
    client.admission.is_draining = True
    client.desk.unpause()
    left = counted(client.desk.open_jobs(), "request")
    await send_ephemeral(interaction, f"Draining: {left} to finish. I won't take new ones until `/operator resume`.")


@operator.command(name="model")
@app_commands.describe(name="The model to use when nobody chooses one")
async def model(interaction: discord.Interaction, name: str) -> None:
    """Change the default model until the next restart"""
    client = _operators_client(interaction)
    client.shelf.require(name)
    client.orders.set_operator_model(name)
    await send_ephemeral(
        interaction,
        f"The default model is {client.shelf.find(name).title} until the next restart, when MODEL applies again.",
    )


@model.autocomplete("name")
async def complete_name(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Offer the models that can be used here."""
    return model_choices(client_of(interaction).shelf.usable(), current)


@operator.command(name="delete")
@app_commands.describe(job="The id of the request, from the log or the name of the result's file")
async def delete(interaction: discord.Interaction, job: app_commands.Range[str, 20, 20]) -> None:
    """Delete a result and everything kept for it, wherever it is"""
    client = _operators_client(interaction)
    found = await client.desk.find(job)
    if found is None:
        raise Refused("job_unknown")
    await interaction.response.defer(ephemeral=True)
    await client.desk.delete(job)
    await client.reports.settle(job)
    await send_ephemeral(interaction, "Deleted: the result's message and every picture kept for it.")


@operator.command(name="block")
@app_commands.describe(member="Who may no longer ask for pictures anywhere")
async def block(interaction: discord.Interaction, member: discord.User) -> None:
    """Block someone everywhere, including direct messages, and cancel their requests"""
    client = _operators_client(interaction)
    await interaction.response.defer(ephemeral=True, thinking=True)
    await block_member(client, EVERYWHERE, member.id)
    await send_ephemeral(interaction, f"Blocked everywhere: {member.mention}. `/operator unblock` undoes that.")


@operator.command(name="unblock")
@app_commands.describe(member="Who may ask for pictures again")
async def unblock(interaction: discord.Interaction, member: discord.User) -> None:
    """Remove your block; servers' own blocks stay"""
    if not await _operators_client(interaction).policies.unblock_member(EVERYWHERE, member.id):
        raise Refused("not_listed")
    await send_ephemeral(interaction, f"No longer blocked by you: {member.mention}.")


def _operators_client(interaction: discord.Interaction) -> "Palimpsest":
    client = client_of(interaction)
    if not client.is_operator(interaction.user.id):
        raise Refused("not_the_operator")
    return client
