"""The bot does not wait once all servers have arrived, but does wait for a missing one."""

import asyncio
from typing import Any

import discord
import pytest

from bot.discord_api.readiness import EagerClient
from bot.events import Events

USER = {"id": "1", "username": "Palimpsest", "discriminator": "0001", "avatar": None}


class Listener(EagerClient):
    def __init__(self, patience_seconds: float) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=patience_seconds)
        self.says_ready = asyncio.Event()
        self.state: Any = self._connection
        self.came = asyncio.Queue[int]()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self.came.put_nowait(guild.id)

    async def on_ready(self) -> None:
        self.says_ready.set()

    def hear(self, event: str, told: dict[str, Any]) -> None:
        self.state.parsers[event](told)


def ready(*servers: int) -> dict[str, Any]:
    return {"user": USER, "guilds": [{"id": str(server), "unavailable": True} for server in servers]}


def server(number: int) -> dict[str, Any]:
    return {"id": str(number), "unavailable": False, "name": "a server", "emojis": [], "stickers": []}


@pytest.mark.parametrize("servers", [[], [1], [1, 2, 3]])
async def test_it_is_ready_when_all_servers_are_there(servers: list[int]) -> None:
    async with Listener(patience_seconds=3600) as client, asyncio.timeout(60):
        client.hear("READY", ready(*servers))
        for number in servers:
            client.hear("GUILD_CREATE", server(number))
        await client.says_ready.wait()
        assert [await client.came.get() for _ in servers] == servers


async def test_one_that_is_missing_is_waited_for() -> None:
    async with Listener(patience_seconds=3600) as client, asyncio.timeout(60):
        client.hear("READY", ready(1, 2))
        client.hear("GUILD_CREATE", server(1))
        assert await client.came.get() == 1
        assert client.state.guild_ready_timeout == 3600
        assert not client.says_ready.is_set()
        client.hear("GUILD_CREATE", server(2))
        await client.says_ready.wait()
        assert await client.came.get() == 2


async def test_one_with_an_outage_is_not_waited_for_for_ever() -> None:
    async with Listener(patience_seconds=0.01) as client, asyncio.timeout(60):
        client.hear("READY", ready(1, 2))
        client.hear("GUILD_CREATE", server(1))
        await client.says_ready.wait()
        assert [guild.unavailable for guild in client.guilds] == [False, True]


def test_the_bot_is_such_a_client() -> None:
    assert issubclass(Events, EagerClient)
