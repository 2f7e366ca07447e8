"""One stand-in for all tests of this folder, and a real discord.py client for each test that wants one."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import pytest
import pytest_asyncio
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from PIL import Image

from playground.client import PlaygroundClient, PlaygroundServer
from playground.limits import GLOBAL_REQUESTS_PER_SECOND

# Passing tests never reach these timeouts: they allow for slow machines, and end what hangs.
ACKNOWLEDGE_SECONDS, EVENT_SECONDS = 60.0, 300.0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[PlaygroundServer]:
    async with PlaygroundServer(judge_answers=True, acknowledge_seconds=ACKNOWLEDGE_SECONDS) as server:
        yield server


@pytest.fixture
async def playground(server: PlaygroundServer) -> AsyncIterator[PlaygroundClient]:
    """A client in the test's event loop.

    Afterwards faults and settings are reset, and the stand-in must not have violated Discord's rules.
    """
    async with PlaygroundClient(server.address) as client:
        known = len((await client.stats())["violations"])
        yield client
        await client.clear_faults()
        await client.set_rate_limit(None)
        await client.set_privileged_intents(0)
        violations = (await client.stats())["violations"][known:]
        assert not violations


@pytest.fixture
def judged(server: PlaygroundServer) -> None:
    if not server.judged:
        pytest.skip(f"without Discord's OpenAPI document nothing is judged: {server.unjudged_reason}")


class ProbeClient(discord.Client):
    """An ordinary discord.py client that passes its messages to the test."""

    def __init__(self, intents: discord.Intents, build: Callable[[app_commands.CommandTree[Any]], None] | None) -> None:
        super().__init__(intents=intents, guild_ready_timeout=0.0)
        self.tree = app_commands.CommandTree(self)
        self.failures: asyncio.Queue[Exception] = asyncio.Queue()
        self.seen: asyncio.Queue[discord.Message] = asyncio.Queue()
        self.furnished = asyncio.Event()
        self.resumed = asyncio.Event()
        self.tree.error(self._on_command_error)
        self._build = build

    async def _on_command_error(self, _interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        self.failures.put_nowait(getattr(error, "original", error))

    async def setup_hook(self) -> None:
        if self._build is not None:
            self._build(self.tree)
            await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify at once: the default pause only matters for many shards."""

    async def on_message(self, message: discord.Message) -> None:
        self.seen.put_nowait(message)

    async def on_socket_event_type(self, event: str) -> None:
        # discord.py considers itself ready some time after the last server has arrived; this is when it has arrived.
        if event == "GUILD_CREATE":
            self.furnished.set()

    async def on_resumed(self) -> None:
        self.resumed.set()

    def text_channel(self, name: str) -> discord.TextChannel:
        channel = discord.utils.get(self.guilds[0].text_channels, name=name)
        assert channel is not None
        return channel


Connect = Callable[..., AbstractAsyncContextManager[ProbeClient]]


@pytest.fixture
def connect(server: PlaygroundServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a context manager that connects an unmodified discord.py client to the stand-in."""
    monkeypatch.setattr(Route, "BASE", server.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", server.address)

    @asynccontextmanager
    async def connected(
        build: Callable[[app_commands.CommandTree[Any]], None] | None = None,
        *,
        intents: discord.Intents | None = None,
        token: str | None = None,
    ) -> AsyncIterator[ProbeClient]:
        client = ProbeClient(intents or discord.Intents.default(), build)
        running = asyncio.create_task(client.start(token or server.token))
        ready = asyncio.create_task(client.furnished.wait())
        try:
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            yield client
        finally:
            ready.cancel()
            await client.close()
            await asyncio.gather(running, ready, return_exceptions=True)

    return connected


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


Rest = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def rest(server: PlaygroundServer) -> AsyncIterator[Rest]:
    """Return a function that sends one REST request as the bot.

    A fast machine reaches the limit of 50 requests a second over all tests together: a ``patient`` sender spaces its
    requests and, if it can send the body again (a form cannot be), retries after a 429.
    """
    async with aiohttp.ClientSession() as session:

        async def send(
            method: str, path: str, *, token: str | None = None, patient: bool = True, **arguments: Any
        ) -> Answer:
            headers = {"Authorization": f"Bot {token or server.token}"}
            if patient:
                await asyncio.sleep(1 / GLOBAL_REQUESTS_PER_SECOND)
            while True:
                async with session.request(method, server.api_url + path, headers=headers, **arguments) as response:
                    body = await response.json() if response.status != 204 else None
                    answer = Answer(response.status, body, dict(response.headers))
                if answer.status != 429 or not patient or "data" in arguments:
                    return answer
                await asyncio.sleep(answer.body["retry_after"])

        yield send


@pytest.fixture
async def channel_id(playground: PlaygroundClient) -> str:
    """The id of #general."""
    channels = (await playground.state())["channels"]
    return next(channel["id"] for channel in channels if channel["name"] == "general")


@pytest.fixture
def picture() -> bytes:
    """A small PNG."""
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(data, "PNG")
    return data.getvalue()
