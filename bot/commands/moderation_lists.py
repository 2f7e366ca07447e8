"""``/moderation block``, ``terms`` and ``pictures``: the lists of unwanted members, words and pictures."""

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from bot.commands.moderation import moderation
from bot.commands.shared import MAX_CHOICES, client_of, send_ephemeral
from bot.discord_api.permissions import require_moderator
from bot.errors import Refused
from bot.moderation import cards
from bot.moderation.actions import block_member, block_picture, require_room_for_term
from bot.orders.sources import source_of
from generation.safety.prompt import MAX_TERM_CHARACTERS, is_term

block = app_commands.Group(name="block", description="Members who may not ask for pictures here", parent=moderation)
terms = app_commands.Group(name="terms", description="Words that I don't paint here", parent=moderation)
pictures = app_commands.Group(name="pictures", description="Pictures that aren't allowed here", parent=moderation)

Term = Range[str, 1, MAX_TERM_CHARACTERS]


@block.command(name="add")
@app_commands.describe(member="Who may no longer ask for pictures here")
async def block_add(interaction: discord.Interaction, member: discord.User) -> None:
    """Block a member and cancel their requests"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    await block_member(client, guild_id, member.id)
    await client.mod_log.write(guild_id, interaction.user.id, "member_blocked", member_id=member.id)
    await _show_members(interaction, guild_id)


@block.command(name="remove")
@app_commands.describe(member="Who may ask for pictures again")
async def block_remove(interaction: discord.Interaction, member: discord.User) -> None:
    """Unblock a member"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    if not await client.policies.unblock_member(guild_id, member.id):
        raise Refused("not_listed")
    await client.mod_log.write(guild_id, interaction.user.id, "member_unblocked", member_id=member.id)
    await _show_members(interaction, guild_id)


@block.command(name="list")
async def block_list(interaction: discord.Interaction) -> None:
    """Show who is blocked"""
    await _show_members(interaction, require_moderator(interaction))


@terms.command(name="add")
@app_commands.describe(term="A word or phrase; it is found as a whole word, however it is written")
async def terms_add(interaction: discord.Interaction, term: Term) -> None:
    """Add a word that I shouldn't paint here"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    term = " ".join(term.split())
    if not is_term(term):
        raise Refused("no_term")
    require_room_for_term(client.policies.terms(guild_id), term)
    await client.policies.add_term(guild_id, term)
    await client.mod_log.write(guild_id, interaction.user.id, "term_added", detail=term)
    await _show_terms(interaction, guild_id)


@terms.command(name="remove")
@app_commands.describe(term="The word or phrase, as it appears on the list")
async def terms_remove(interaction: discord.Interaction, term: Term) -> None:
    """Remove a word from the list"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    if not await client.policies.remove_term(guild_id, " ".join(term.split())):
        raise Refused("not_listed")
    await client.mod_log.write(guild_id, interaction.user.id, "term_removed", detail=term)
    await _show_terms(interaction, guild_id)


@terms_remove.autocomplete("term")
async def complete_term(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Offer the listed words to moderators; ``list`` truncates long lists."""
    if not interaction.permissions.manage_guild:
        return []
    listed = client_of(interaction).policies.terms(interaction.guild_id)
    return [Choice(name=term, value=term) for term in listed if current.lower() in term.lower()][:MAX_CHOICES]


@terms.command(name="list")
async def terms_list(interaction: discord.Interaction) -> None:
    """Show the words that I don't paint here"""
    await _show_terms(interaction, require_moderator(interaction))


@pictures.command(name="add")
@app_commands.describe(picture="A picture that isn't allowed here, as input or as result")
async def pictures_add(interaction: discord.Interaction, picture: discord.Attachment) -> None:
    """Add a picture to the list, along with anything that looks like it"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    source = source_of(picture)
    assert source.attachment_url is not None, "an attachment has an address"
    await interaction.response.defer(ephemeral=True, thinking=True)
    sha256 = await block_picture(client, guild_id, source.attachment_url)
    await client.mod_log.write(guild_id, interaction.user.id, "picture_added", detail=sha256[:16])
    await _show_pictures(interaction, guild_id)


@pictures.command(name="remove")
@app_commands.describe(picture="The beginning of its SHA-256, as the list shows it")
async def pictures_remove(interaction: discord.Interaction, picture: Range[str, 8, 64]) -> None:
    """Remove a picture from the list"""
    guild_id = require_moderator(interaction)
    client = client_of(interaction)
    found = [listed.sha256 for listed in client.policies.pictures(guild_id) if listed.sha256.startswith(picture)]
    if len(found) != 1:
        raise Refused("not_listed")
    await client.policies.unblock_picture(guild_id, found[0])
    await client.mod_log.write(guild_id, interaction.user.id, "picture_removed", detail=found[0][:16])
    await _show_pictures(interaction, guild_id)


@pictures_remove.autocomplete("picture")
async def complete_picture(interaction: discord.Interaction, current: str) -> list[Choice[str]]:
    """Offer the listed pictures to moderators."""
    if not interaction.permissions.manage_guild:  # raising a refusal here would only end up as an error in the log
        return []
    listed = [picture.sha256[:16] for picture in client_of(interaction).policies.pictures(interaction.guild_id)]
    return [Choice(name=beginning, value=beginning) for beginning in listed if current in beginning][:MAX_CHOICES]


@pictures.command(name="list")
async def pictures_list(interaction: discord.Interaction) -> None:
    """Show the pictures that aren't allowed here"""
    await _show_pictures(interaction, require_moderator(interaction))


async def _show_members(interaction: discord.Interaction, guild_id: int) -> None:
    await send_ephemeral(interaction, cards.members_text(client_of(interaction).policies.blocked_members(guild_id)))


async def _show_terms(interaction: discord.Interaction, guild_id: int) -> None:
    await send_ephemeral(interaction, cards.terms_text(client_of(interaction).policies.terms(guild_id)))


async def _show_pictures(interaction: discord.Interaction, guild_id: int) -> None:
    await send_ephemeral(interaction, cards.pictures_text(client_of(interaction).policies.pictures(guild_id)))
