"""One stand-in and one bot for all tests that keep both running; a fresh pair for those that do not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.bot_process import QUICK, BotProcess, stand_in


@pytest.fixture(scope="session")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotProcess]:
    """A bot that no test stops; it runs one job at a time, so that a test knows which ones wait."""
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path_factory.mktemp("bot"), {"LOG_FORMAT": "json"}) as bot,
    ):
        yield bot


@pytest.fixture
async def mortal_bot(tmp_path: Path) -> AsyncIterator[BotProcess]:
    """A bot and a stand-in of the test's own; when stopped, it waits for a held job only briefly."""
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path / "data", {"SHUTDOWN_GRACE_SECONDS": "1"}) as bot,
    ):
        yield bot


@pytest.fixture
async def quick_bot(tmp_path: Path) -> AsyncIterator[BotProcess]:
    """The same, for tests that have nothing to do with generation: no model is loaded."""
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path / "data", {"SHUTDOWN_GRACE_SECONDS": "1"}, arguments=QUICK) as bot,
    ):
        yield bot
