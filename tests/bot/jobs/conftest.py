"""Fixtures shared by the tests of jobs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.storage.database import Database
from tests.bot.jobs.scene import Scene


@pytest.fixture
async def scene(tmp_path: Path, database: Database) -> AsyncIterator[Scene]:
    scene = Scene(database, tmp_path / "spool")
    yield scene
    scene.discord.hears.set()
    await scene.lifecycle.open.close(grace_seconds=0)
    await scene.lifecycle.progress.close()
