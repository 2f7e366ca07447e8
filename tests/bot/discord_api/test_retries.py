"""A request whose connection breaks is retried; one of a closed bot is not."""

import aiohttp
import discord
import pytest

from bot.discord_api import retries
from bot.discord_api.retries import make_retrying


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> discord.Client:
    monkeypatch.setattr(retries, "PAUSES_SECONDS", (0.0, 0.0))
    return discord.Client(intents=discord.Intents.none())


@pytest.mark.parametrize(
    ("trouble", "requests", "seen"),
    [
        (ConnectionResetError(), 3, ConnectionResetError),
        (RuntimeError("Session is closed"), 1, aiohttp.ClientError),  # which every caller handles
        (RuntimeError("a surprise"), 1, RuntimeError),
    ],
)
async def test_what_is_sent_again(
    client: discord.Client, trouble: Exception, requests: int, seen: type[Exception]
) -> None:
    sent: list[object] = []

    async def request(route: object, **_: object) -> None:
        sent.append(route)
        raise trouble

    client.http.request = request
    make_retrying(client.http)
    with pytest.raises(seen):
        await client.http.get_user(1)
    assert len(sent) == requests
