"""A stand-in for Discord that all tests of the checks share."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.settings import Settings
from playground.client import PlaygroundClient, PlaygroundServer

CHANNELS = ("general", "gallery", "after-dark")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def server() -> AsyncIterator[PlaygroundServer]:
    async with PlaygroundServer(judge_answers=True) as server:
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
        await client.set_application({})
        await client.set_privileged_intents(0)
        for channel in CHANNELS:
            await client.set_permissions(channel)
        assert (await client.stats())["violations"][known:] == []


def changed(settings: Settings, **changes: Any) -> Settings:
    """Return a copy of the settings with changes, which are not validated."""
    return settings.model_copy(update=changes)
