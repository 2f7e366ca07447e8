"""The origin of a request, and whether an answer can be posted there."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.errors import Refused
from bot.orders.origin import Origin
from bot.replies import error_sentence

HERE, ELSEWHERE = 2, 9


def command(guild_id: int | None) -> Any:
    """Return a command used in a server or a direct message; the bot is in one server only."""
    guild = SimpleNamespace(id=guild_id, filesize_limit=10, me=None)
    return SimpleNamespace(
        client=SimpleNamespace(get_guild={HERE: guild}.get),
        user=SimpleNamespace(id=1),
        guild_id=guild_id,
        guild=None if guild_id is None else guild,
        channel_id=3,
        channel=None,
        command=None,
        permissions=discord.Permissions.all(),
        app_permissions=discord.Permissions.all(),
    )


@pytest.mark.parametrize("guild_id", [HERE, None])
def test_there_is_room_where_the_bot_is_and_in_direct_messages(guild_id: int | None) -> None:
    Origin.of_interaction(command(guild_id)).require_can_answer()


def test_a_server_that_has_the_commands_and_not_the_bot_is_told_so() -> None:
    with pytest.raises(Refused, match="not_in_server") as refused:
        Origin.of_interaction(command(ELSEWHERE)).require_can_answer()
    assert "but not me" in (error_sentence(refused.value) or "")
