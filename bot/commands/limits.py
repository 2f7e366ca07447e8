"""``/limits``: whether, how often and how much the members of a role may request, set by moderators."""

import discord
from discord import app_commands
from discord.app_commands import Range

from bot.commands.shared import client_of, given_options, moderators_group, send_ephemeral
from bot.discord_api.permissions import require_moderator
from bot.orders.allowances import DAY_SECONDS
from bot.orders.tables import limit_words, limits_table
from bot.storage.role_limits import RoleLimit

limits = moderators_group(
    "limits", "Whether, how often and how much the members of a role may ask for pictures in this server"
)


@limits.command(name="show")
async def limits_show(interaction: discord.Interaction) -> None:
    """Show the limits of each role"""
    await _show(interaction, require_moderator(interaction))


@limits.command(name="set")
@app_commands.describe(
    role="The role; if a member has several, the most generous limits count",
    cooldown="Seconds between two requests; 0 means no wait",
    daily_budget="Seconds of painting in 24 hours; 0 means no limit",
    allowed="Whether they may ask for pictures at all; one role that allows it is enough",
)
async def limits_set(
    interaction: discord.Interaction,
    role: discord.Role,
    cooldown: Range[int, 0, DAY_SECONDS] | None = None,
    daily_budget: Range[int, 0, DAY_SECONDS] | None = None,
    allowed: bool | None = None,
) -> None:
    """Set the limits of a role, or of @everyone"""
    guild_id = require_moderator(interaction)
    values = given_options(cooldown_seconds=cooldown, daily_budget_seconds=daily_budget, may_ask=allowed)
    client = client_of(interaction)
    await client.role_limits.set(guild_id, role.id, **values)
    detail = f"{role.name}: {limit_words(RoleLimit(**values))}"
    await client.mod_log.write(guild_id, interaction.user.id, "limits_set", detail=detail)
    await _show(interaction, guild_id)


@limits.command(name="reset")
@app_commands.describe(role="The role whose limits to remove")
async def limits_reset(interaction: discord.Interaction, role: discord.Role) -> None:
    """Remove the limits of a role"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    await client.role_limits.reset(guild_id, role.id)
    await client.mod_log.write(guild_id, interaction.user.id, "limits_reset", detail=role.name)
    await _show(interaction, guild_id)


async def _show(interaction: discord.Interaction, guild_id: int) -> None:
    """Show the limits of every role that still exists, visible to this person only."""
    client = client_of(interaction)
    known = {role.id for role in interaction.guild.roles} if interaction.guild is not None else set()
    limits = {
        role_id: limit
        for role_id, limit in client.role_limits.of(guild_id).items()
        # In a server that the bot is not a member of no roles are known.
        if role_id in known or not known
    }
    text = limits_table(guild_id, limits, client.operator_allowance)
    await send_ephemeral(interaction, text)
