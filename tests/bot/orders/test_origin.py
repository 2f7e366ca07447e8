"""The origin of a request, and whether an answer can be posted there."""

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from discord.app_commands import AppCommandContext

from bot.errors import Refused
from bot.orders.origin import Origin
from bot.replies import error_sentence

HERE, ELSEWHERE = 2, 9


def command(guild_id: int | None, *, is_private: bool = False, is_of_account: bool = False) -> Any:
    """Return a command used in a server, a direct message or a private chat; the bot is in one server only."""
    guild = SimpleNamespace(id=guild_id, filesize_limit=10, me=None)
    return SimpleNamespace(
        client=SimpleNamespace(get_guild={HERE: guild}.get),
        user=SimpleNamespace(id=1),
        guild_id=guild_id,
        guild=None if guild_id is None else guild,
        channel_id=3,
        channel=None,
        command=None,
        context=AppCommandContext(guild=guild_id is not None, private_channel=is_private),
        is_user_integration=lambda: is_of_account,
        permissions=discord.Permissions.all(),
        app_permissions=discord.Permissions.all(),
    )


@pytest.mark.parametrize("is_of_account", [False, True])
@pytest.mark.parametrize("guild_id", [HERE, None])
def test_there_is_room_where_the_bot_is_and_in_direct_messages(guild_id: int | None, is_of_account: bool) -> None:
    origin = Origin.of_interaction(command(guild_id, is_of_account=is_of_account))
    origin.require_can_answer()
    assert (origin.guild_id, origin.channel_id, origin.is_elsewhere) == (guild_id, 3, False)


@pytest.mark.parametrize(("guild_id", "is_private"), [(ELSEWHERE, False), (None, True)])
def test_a_place_that_has_the_commands_and_not_the_bot_is_told_so(guild_id: int | None, is_private: bool) -> None:
    with pytest.raises(Refused, match="not_in_server") as refused:
        Origin.of_interaction(command(guild_id, is_private=is_private)).require_can_answer()
    assert "but not me" in (error_sentence(refused.value) or "")


@pytest.mark.parametrize(("guild_id", "is_private"), [(ELSEWHERE, False), (None, True)])
def test_whoever_has_installed_the_bot_may_ask_elsewhere_by_the_rules_of_direct_messages(
    guild_id: int | None, is_private: bool
) -> None:
    asked = command(guild_id, is_private=is_private, is_of_account=True)
    asked.app_permissions = asked.permissions = discord.Permissions.none()
    origin = Origin.of_interaction(asked)
    origin.require_can_answer()
    assert origin.is_elsewhere
    assert (origin.guild_id, origin.settings_channel_id, origin.role_ids) == (None, None, ())
    assert origin.file_limit_bytes == discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES


async def test_a_server_that_has_not_arrived_yet_after_a_start_is_not_taken_for_a_foreign_one() -> None:
    client = discord.Client(intents=discord.Intents.none())
    ada: Any = {"id": "1", "username": "ada", "discriminator": "0", "avatar": None}
    client._connection.user = discord.ClientUser(state=client._connection, data=ada | {"id": "8"})
    client._connection._add_guild_from_data(cast("Any", {"id": str(HERE), "unavailable": True}))  # as READY lists it
    everything = str(discord.Permissions.all().value)
    member = {"user": ada, "roles": ["6"], "permissions": everything, "joined_at": None, "deaf": False, "mute": False}

    def pressed_in(guild_id: int) -> Origin:
        data: Any = {
            "id": "5",
            "application_id": "8",
            "type": 3,
            "token": "t",
            "version": 1,
            "guild_id": str(guild_id),
            "channel": {"id": "3", "type": 0, "name": "general", "position": 0},
            "member": member | {"flags": 0},
            "app_permissions": everything,
            "attachment_size_limit": 1,
            "context": 0,
            "authorizing_integration_owners": {"1": "1"},
        }
        return Origin.of_interaction(discord.Interaction(data=data, state=client._connection))

    here = pressed_in(HERE)
    here.require_can_answer()
    assert (here.guild_id, here.is_elsewhere) == (HERE, False)
    assert set(here.role_ids) == {HERE, 6}, "limits by role apply, that of @everyone too"
    assert pressed_in(ELSEWHERE).is_elsewhere
