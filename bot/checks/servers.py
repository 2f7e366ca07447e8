"""Check that the bot has the permissions it needs in each server."""

import discord

from bot.checks.application import missing_names
from bot.checks.findings import Finding, fail, ok, warn
from bot.discord_api.permissions import permission_words
from bot.replies import counted

MAX_SERVERS = 25  # three requests each: more would take minutes, and an operator of that many knows where to look
_SHOWN_CHANNELS = 3
_Room = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel


async def server_findings(client: discord.Client) -> list[Finding]:
    """Check the bot's permissions in its servers, at most ``MAX_SERVERS`` of them."""
    servers = [guild async for guild in client.fetch_guilds(limit=MAX_SERVERS + 1, with_counts=False)]
    if not servers:
        return [warn("servers", "The bot isn't in any server yet.", "Add it with the link below.")]
    findings = [await _server_finding(client, guild.id, guild.name) for guild in servers[:MAX_SERVERS]]
    if len(servers) > MAX_SERVERS:
        findings.append(ok("servers", f"The bot is in more servers; the first {MAX_SERVERS} were checked."))
    return findings


async def _server_finding(client: discord.Client, guild_id: int, name: str) -> Finding:
    assert client.user is not None, "the client has logged in"
    try:
        guild = await client.fetch_guild(guild_id, with_counts=False)
        me = await guild.fetch_member(client.user.id)
        rooms = [channel for channel in await guild.fetch_channels() if isinstance(channel, _Room)]
    except discord.HTTPException as error:
        return warn("server", f"{name} could not be checked (status {error.status}).", "Try again later.")
    lacking = {room: _missing(room, me) for room in rooms}
    seen = {room: names for room, names in lacking.items() if "view_channel" not in names}
    hurt = {room: names for room, names in seen.items() if names}
    if not hurt:
        hidden = f"; it cannot see {len(rooms) - len(seen)} more" if len(seen) < len(rooms) else ""
        if not seen:
            return _cannot_answer(name, ["view_channel"])
        return ok(
            "server", f"{name}: the bot has all the permissions it needs in {counted(len(seen), 'channel')}{hidden}."
        )
    common = [missing for missing in next(iter(hurt.values())) if all(missing in names for names in hurt.values())]
    if len(hurt) == len(seen) and set(common) - {"send_messages_in_threads"}:
        return _cannot_answer(name, common)
    shown = [f"#{room} ({permission_words(names)})" for room, names in list(hurt.items())[:_SHOWN_CHANNELS]]
    rest = f" and {len(hurt) - _SHOWN_CHANNELS} more" if len(hurt) > _SHOWN_CHANNELS else ""
    return warn(
        "server",
        f"{name}: the bot is missing permissions in {len(hurt)} of {counted(len(seen), 'channel')}:"
        f" {', '.join(shown)}{rest}.",
        "Edit the channel → Permissions → the bot's role, and allow them.",
    )


def _missing(room: _Room, me: discord.Member) -> list[str]:
    """Return the permissions that the bot lacks in a channel; forums are written to only through their threads."""
    if isinstance(room, discord.VoiceChannel | discord.StageChannel):
        rights = room.permissions_for(me)
        return [*missing_names(rights), *(() if rights.connect else ("connect",))]
    if not isinstance(room, discord.ForumChannel):
        return missing_names(room.permissions_for(me))
    # Not the forum's own method: discord.py denies attachments to anyone who cannot send messages.
    rights = discord.abc.GuildChannel.permissions_for(room, me)
    return [name for name in missing_names(rights) if name != "send_messages"]


def _cannot_answer(name: str, missing: list[str]) -> Finding:
    return fail(
        "server",
        f"{name}: the bot cannot answer in any channel because it is missing {permission_words(missing)}.",
        "Allow that in Server Settings → Roles → the bot's role, or add the bot again with the link below.",
    )
