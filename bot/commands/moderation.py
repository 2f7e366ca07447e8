"""``/moderation``: moderators' decisions about pictures, words and members, and the record of them."""

import discord
from discord import app_commands
from discord.app_commands import Range

from bot.commands.shared import NegativePrompt, Prompt, client_of, given_options, moderators_group, send_ephemeral
from bot.discord_api.permissions import missing_permissions, require_moderator
from bot.errors import Refused
from bot.moderation import cards
from bot.screening.policy import MAX_OPEN_SCORE
from generation.safety.prompt import check_prompt

_SHOWN_ENTRIES = 15
OpenScore = Range[float, 0.0, MAX_OPEN_SCORE]
RestrictedScore = Range[float, 0.0, 1.0]

moderation = moderators_group(
    "moderation", "What may be painted and shown in this server, and who may ask for pictures"
)
policy = app_commands.Group(name="policy", description="Which pictures are hidden or blocked", parent=moderation)


@policy.command(name="show")
async def policy_show(interaction: discord.Interaction) -> None:
    """Show the rules for pictures and words"""
    await _show_policy(interaction, require_moderator(interaction))


@policy.command(name="set")
@app_commands.describe(
    spoiler="Hide pictures with at least this score (0.6 unless set)",
    block="Block pictures with at least this score (0.8 unless set)",
    age_restricted_spoiler="The same in age-restricted channels; 1 means never (0.8 unless set)",
    age_restricted_block="The same in age-restricted channels; 1 means never (1 unless set)",
)
async def policy_set(
    interaction: discord.Interaction,
    spoiler: OpenScore | None = None,
    block: OpenScore | None = None,
    age_restricted_spoiler: RestrictedScore | None = None,
    age_restricted_block: RestrictedScore | None = None,
) -> None:
    """Set the scores from which pictures are hidden or blocked"""
    guild_id = require_moderator(interaction)
    scores = given_options(
        spoiler_score=spoiler,
        block_score=block,
        restricted_spoiler_score=age_restricted_spoiler,
        restricted_block_score=age_restricted_block,
    )
    client = client_of(interaction)
    await client.policies.set_policy(guild_id, **scores)
    detail = ", ".join(f"{name.removesuffix('_score').replace('_', ' ')} {score:g}" for name, score in scores.items())
    await client.mod_log.write(guild_id, interaction.user.id, "policy_set", detail=detail)
    await _show_policy(interaction, guild_id)


@moderation.command(name="test")
@app_commands.describe(prompt="The prompt to check", negative_prompt="What the picture should not show")
async def moderation_test(
    interaction: discord.Interaction,
    prompt: Prompt,
    negative_prompt: NegativePrompt = "",
) -> None:
    """Check what would happen to a prompt here, without painting anything"""
    terms = client_of(interaction).policies.terms(require_moderator(interaction))
    await send_ephemeral(interaction, cards.verdict_text(check_prompt(prompt, negative_prompt, server_terms=terms)))


@moderation.command(name="log")
@app_commands.describe(
    channel="Where to notify moderators; leave this out to see the current settings",
    nowhere="True: stop notifying moderators",
)
async def moderation_log(
    interaction: discord.Interaction, channel: discord.TextChannel | None = None, nowhere: bool = False
) -> None:
    """Choose the channel where moderators are notified, with buttons to act"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    if channel is None and not nowhere:
        await _show_policy(interaction, guild_id)
        return
    if channel is not None and (missing := _missing_in(channel)):
        raise Refused("missing_permissions", permissions=list(missing))
    await client.policies.set_log_channel(guild_id, None if channel is None else channel.id)
    await client.mod_log.write(guild_id, interaction.user.id, "log_off" if channel is None else "log_set")
    await _show_policy(interaction, guild_id)


@moderation.command(name="audit")
async def moderation_audit(interaction: discord.Interaction) -> None:
    """Show who decided what, newest first"""
    entries = await client_of(interaction).audit.newest(require_moderator(interaction), _SHOWN_ENTRIES)
    await send_ephemeral(interaction, cards.audit_text(entries))


@moderation.command(name="reports")
async def moderation_reports(interaction: discord.Interaction) -> None:
    """Show what members have reported"""
    client = client_of(interaction)
    reports = await client.reports.open(require_moderator(interaction), _SHOWN_ENTRIES)
    reported = [(report, await client.desk.find(report.job_id)) for report in reports]
    await send_ephemeral(interaction, cards.reports_text(reported))


async def _show_policy(interaction: discord.Interaction, guild_id: int) -> None:
    policies = client_of(interaction).policies
    channel_id = policies.log_channel_id(guild_id)
    channel = None if channel_id is None or interaction.guild is None else interaction.guild.get_channel(channel_id)
    is_open = channel is not None and not _missing_in(channel)
    await send_ephemeral(
        interaction, cards.policy_text(policies.of(guild_id), channel_id, is_log_open=channel_id is None or is_open)
    )


def _missing_in(channel: discord.abc.GuildChannel) -> tuple[str, ...]:
    return missing_permissions(channel.permissions_for(channel.guild.me), channel)
