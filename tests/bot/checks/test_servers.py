"""Checks of channels that the stand-in does not have."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import discord
import pytest

from bot.checks.application import NEEDED_PERMISSIONS
from bot.checks.findings import Verdict
from bot.checks.servers import server_findings

TEXT, FORUM = 0, 15
SERVER, BOT = "2", "9"


def client_with(*channels: tuple[int, str, discord.Permissions]) -> Any:
    """Return a client in one server, with channels given by type, name and the permissions denied to @everyone."""
    state: Any = MagicMock(self_id=int(BOT), member_cache_flags=discord.MemberCacheFlags.none())
    everyone = {"id": SERVER, "name": "@everyone", "permissions": str(NEEDED_PERMISSIONS.value), "position": 0}
    looks = {"color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
    looks["colors"] = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
    made: Any = {"id": SERVER, "name": "Home", "owner_id": "1", "roles": [everyone | looks]}
    guild = discord.Guild(data=made, state=state)
    user = {"id": BOT, "username": "bot", "discriminator": "0", "avatar": None}
    member: Any = {"user": user, "roles": [], "joined_at": None, "flags": 0}
    me = discord.Member(data=member, guild=guild, state=state)
    rooms = []
    for number, (kind, name, denied) in enumerate(channels):
        overwrites = [{"id": SERVER, "type": 0, "allow": "0", "deny": str(denied.value)}]
        place = {"id": str(100 + number), "type": kind, "name": name, "position": number, "nsfw": False}
        data: Any = place | {"permission_overwrites": overwrites, "parent_id": None}
        make = discord.ForumChannel if kind == FORUM else discord.TextChannel
        rooms.append(make(state=state, guild=guild, data=data))

    async def fetch_guilds(**_: Any) -> Any:
        yield guild

    async def answered(what: Any) -> Any:
        return what

    examined = SimpleNamespace(fetch_member=lambda _: answered(me), fetch_channels=lambda: answered(rooms))
    return SimpleNamespace(
        user=SimpleNamespace(id=int(BOT)), fetch_guilds=fetch_guilds, fetch_guild=lambda *_, **__: answered(examined)
    )


NOTHING = discord.Permissions.none()


async def test_a_forum_in_which_only_some_may_post_lacks_nothing() -> None:
    closed = discord.Permissions(send_messages=True)
    [finding] = await server_findings(client_with((TEXT, "general", NOTHING), (FORUM, "pictures", closed)))
    assert finding.verdict is Verdict.OK
    assert "2 channels" in finding.message


@pytest.mark.parametrize("kind", [TEXT, FORUM])
async def test_of_two_channels_with_one_name_each_is_examined(kind: int) -> None:
    denied = discord.Permissions(attach_files=True)
    [finding] = await server_findings(client_with((kind, "pictures", denied), (TEXT, "pictures", NOTHING)))
    assert finding.verdict is Verdict.WARN
    assert "in 1 of 2 channels" in finding.message
    assert "#pictures (Attach Files)" in finding.message
