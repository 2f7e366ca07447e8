"""``/limits``: how often and how much the members of a role may ask, set by moderators."""

from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.app_commands import Range

from bot import replies
from bot.discord_api.permissions import require_moderator
from bot.errors import Refused
from bot.orders.allowances import DAY_SECONDS

if TYPE_CHECKING:
    from bot.client import Palimpsest

limits = app_commands.Group(
    name="limits",
    description="How often and how much the members of a role may ask in this server",
    guild_only=True,
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_installs=app_commands.AppInstallationType(guild=True),
)


@limits.command(name="show")
async def limits_show(interaction: discord.Interaction) -> None:
    """What holds for which role"""
    await _show(interaction, require_moderator(interaction))


@limits.command(name="set")
@app_commands.describe(
    role="Whose limits; of several roles of a member the most generous counts",
    cooldown="Seconds between two requests; 0 is no wait",
    daily_budget="Seconds of painting in 24 hours; 0 is as much as they like",
)
async def limits_set(
    interaction: discord.Interaction,
    role: discord.Role,
    cooldown: Range[int, 0, DAY_SECONDS] | None = None,
    daily_budget: Range[int, 0, DAY_SECONDS] | None = None,
) -> None:
    """Set the limits of a role; @everyone is one too"""
    guild_id = require_moderator(interaction)
    if cooldown is None and daily_budget is None:
        raise Refused("nothing_to_set")
    await _client(interaction).role_limits.set(
        guild_id, role.id, cooldown_seconds=cooldown, daily_budget_seconds=daily_budget
    )
    await _show(interaction, guild_id)


@limits.command(name="reset")
@app_commands.describe(role="Whose limits to forget")
async def limits_reset(interaction: discord.Interaction, role: discord.Role) -> None:
    """Forget the limits of a role"""
    guild_id = require_moderator(interaction)
    await _client(interaction).role_limits.reset(guild_id, role.id)
    await _show(interaction, guild_id)


def _client(interaction: discord.Interaction) -> "Palimpsest":
    return cast("Palimpsest", interaction.client)


async def _show(interaction: discord.Interaction, guild_id: int) -> None:
    """Show every role's limits to the person alone."""
    client = _client(interaction)
    text = replies.limits_table(guild_id, client.role_limits.of(guild_id), client.operator_allowance)
    await interaction.response.send_message(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())
