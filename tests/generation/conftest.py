"""Fixtures of the generation package: real child processes with a scripted engine."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from generation.executors.budgets import PhaseBudgets
from generation.executors.child import ChildExecutor

SCRIPTED_ENGINE = "tests.generation.scripted_engine:create"


class Gates:
    """Named pipes at which scripted runs wait; opening one waits until its run has arrived there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, *names: str) -> None:
        """Create gates before a script names them."""
        for name in names:
            os.mkfifo(self.folder / name)

    async def open(self, name: str) -> None:
        """Wait for the run at this gate and let it continue."""
        await asyncio.to_thread((self.folder / name).write_bytes, b"")


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


@pytest.fixture
async def make_executor(tmp_path: Path) -> AsyncIterator[Callable[..., ChildExecutor]]:
    """Make executors with the scripted engine, which are stopped at the end."""
    made: list[ChildExecutor] = []

    def make(*, budgets: PhaseBudgets | None = None, **options: Any) -> ChildExecutor:
        executor = ChildExecutor(
            {"folder": str(tmp_path), **options}, engine=SCRIPTED_ENGINE, budgets=budgets, backoff_seconds=0.01
        )
        made.append(executor)
        return executor

    yield make
    await asyncio.gather(*(executor.stop() for executor in made))
