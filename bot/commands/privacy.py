"""``/privacy``: what is kept about a member, its deletion, and who may paint over the member's pictures."""

import logging

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.commands.shared import client_of, send_ephemeral
from bot.privacy import cards
from generation.references import new_reference

log = logging.getLogger(__name__)

privacy = app_commands.Group(name="privacy", description="What I keep about you, and how to delete it")


@privacy.command(name="show")
async def privacy_show(interaction: discord.Interaction) -> None:
    """Show what I keep about you"""
    await send_ephemeral(interaction, await _shown(interaction))


@privacy.command(name="delete")
@app_commands.describe(what="What to delete; this cannot be undone")
@app_commands.choices(
    what=[
        Choice(name="my requests, with their results and pictures", value="requests"),
        Choice(name="my preferences", value="preferences"),
        Choice(name="everything", value="everything"),
    ]
)
async def privacy_delete(interaction: discord.Interaction, what: Choice[str]) -> None:
    """Permanently delete what I keep about you"""
    deletion = client_of(interaction).deletion
    await interaction.response.defer(ephemeral=True, thinking=True)
    left = 0
    match what.value:
        case "requests":
            left = await deletion.delete_requests(interaction.user.id)
        case "preferences":
            await deletion.delete_preferences(interaction.user.id)
        case _:
            left = await deletion.delete_member_data(interaction.user.id)
    try:
        await send_ephemeral(interaction, f"{cards.deleted_text(left)}\n{await _shown(interaction)}")
    except discord.HTTPException:
        # With many messages it takes longer than the 15 minutes for which an interaction can be answered.
        log.info("a deletion finished too late to be reported [%s]", new_reference())


@privacy.command(name="remixing")
@app_commands.describe(state="Whether others may paint over pictures that you post or ask for")
@app_commands.choices(state=[Choice(name="on", value="on"), Choice(name="off", value="off")])
async def privacy_remixing(interaction: discord.Interaction, state: Choice[str]) -> None:
    """Choose whether others may paint over your pictures"""
    await client_of(interaction).remixing.set(interaction.user.id, is_allowed=state.value == "on")
    await send_ephemeral(interaction, await _shown(interaction))


async def _shown(interaction: discord.Interaction) -> str:
    client = client_of(interaction)
    member_id = interaction.user.id
    counts = await client.deletion.member_data.count(member_id)
    is_remixed = not client.remixing.is_refused(member_id)
    return cards.kept_text(counts, client.retention, is_remixed=is_remixed)
