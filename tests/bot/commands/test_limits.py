"""What ``/limits`` shows for existing and for deleted roles."""

from types import SimpleNamespace
from typing import Any

import discord

from bot.commands.limits import limits_show
from bot.orders.allowances import NO_LIMIT
from bot.storage.database import Database
from bot.storage.role_limits import RoleLimits

SERVER, BOOSTER, GONE = 2, 77, 78


class Response:
    """Records what a moderator is told."""

    type = None  # nothing has been answered yet

    def __init__(self) -> None:
        self.text = ""

    def is_done(self) -> bool:
        return False

    async def send_message(self, text: str, **_: Any) -> None:
        self.text = text


async def shown(limits: RoleLimits, *role_ids: int) -> str:
    interaction: Any = SimpleNamespace(
        client=SimpleNamespace(role_limits=limits, operator_allowance=NO_LIMIT),
        guild=SimpleNamespace(roles=[discord.Object(role_id) for role_id in role_ids]),
        guild_id=SERVER,
        permissions=discord.Permissions(manage_guild=True),
        response=(response := Response()),
    )
    callback: Any = limits_show.callback
    await callback(interaction)
    return response.text


async def test_limits_of_a_role_that_is_gone_are_not_shown_where_nobody_could_name_it(database: Database) -> None:
    limits = RoleLimits(database)
    await limits.set(SERVER, GONE, cooldown_seconds=60)
    assert "none yet" in await shown(limits, SERVER, BOOSTER)
    for role_id in (SERVER, BOOSTER):
        await limits.set(SERVER, role_id, cooldown_seconds=5)
    text = await shown(limits, SERVER, BOOSTER)
    assert "• @everyone: 5 s" in text
    assert f"• <@&{BOOSTER}>: 5 s" in text
    assert str(GONE) not in text
    assert str(GONE) in await shown(limits)  # a server whose roles the bot cannot see
