"""Who may do what, as a table, and the checks that do not rely on Discord's own."""

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.client import Palimpsest
from bot.commands.operator import _operators_client
from bot.discord_api.permissions import may_manage, require_moderator
from bot.errors import Refused
from tests.bot.jobs_made import make_job

REQUESTER, OTHER = 1, 5
SERVER, ANOTHER_SERVER = 2, 6


def interaction(user_id: int, guild_id: int | None, **rights: bool) -> discord.Interaction:
    made: Any = SimpleNamespace(
        user=SimpleNamespace(id=user_id),
        guild_id=guild_id,
        permissions=discord.Permissions(**rights),
        client=SimpleNamespace(is_operator=lambda user_id: user_id == 99),
    )
    return cast("discord.Interaction", made)


@pytest.mark.parametrize(
    ("user_id", "guild_id", "rights", "allowed"),
    [
        (REQUESTER, SERVER, {}, True),
        (REQUESTER, None, {}, True),
        (OTHER, SERVER, {}, False),
        (OTHER, SERVER, {"manage_guild": True}, False),
        (OTHER, SERVER, {"manage_messages": True}, True),
        (OTHER, ANOTHER_SERVER, {"manage_messages": True}, False),
        (OTHER, None, {"manage_messages": True}, False),
    ],
)
def test_cancel_and_delete(user_id: int, guild_id: int | None, rights: dict[str, bool], allowed: bool) -> None:
    job = make_job(requester_id=REQUESTER, guild_id=SERVER)
    assert may_manage(interaction(user_id, guild_id, **rights), job) is allowed


@pytest.mark.parametrize(
    ("guild_id", "rights", "reason"),
    [
        (SERVER, {}, "not_a_moderator"),
        (SERVER, {"manage_messages": True}, "not_a_moderator"),
        (None, {"manage_guild": True}, "server_only"),
    ],
)
def test_defaults_and_limits_are_for_moderators_whoever_discord_lets_through(
    guild_id: int | None, rights: dict[str, bool], reason: str
) -> None:
    with pytest.raises(Refused) as refusal:
        require_moderator(interaction(OTHER, guild_id, **rights))
    assert refusal.value.reason == reason


def test_defaults_and_limits_are_for_moderators() -> None:
    require_moderator(interaction(OTHER, SERVER, manage_guild=True))


def test_the_operators_commands_are_for_the_operator_even_among_administrators() -> None:
    with pytest.raises(Refused) as refusal:
        _operators_client(interaction(OTHER, SERVER, administrator=True))
    assert refusal.value.reason == "not_the_operator"
    _operators_client(interaction(99, SERVER))


@pytest.mark.parametrize(
    ("member_id", "role", "membership_state", "is_operator"),
    [
        (1, "read_only", 2, True),  # the team's owner, whatever their role in the list
        (2, "admin", 2, True),
        (3, "developer", 2, True),
        (4, "read_only", 2, False),
        (5, "admin", 1, False),  # only invited
    ],
)
def test_of_a_team_those_are_operators_who_may_change_the_application(
    member_id: int, role: str, membership_state: int, is_operator: bool
) -> None:
    user = {"id": str(member_id), "username": "x", "discriminator": "0", "avatar": None}
    member = {"user": user, "team_id": "7", "membership_state": membership_state, "permissions": ["*"], "role": role}
    data: Any = {"id": "7", "name": "x", "icon": None, "owner_user_id": "1", "members": [member]}
    state: Any = None
    client: Any = SimpleNamespace(application=SimpleNamespace(team=discord.Team(state, data)))
    assert Palimpsest.is_operator(client, member_id) is is_operator
    assert not Palimpsest.is_operator(client, 99)
