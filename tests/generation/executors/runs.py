"""Scripted runs, for tests of the executor and of its process."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from generation.events import Event, Failed, Finished
from generation.executors.child import ChildExecutor
from tests.generation.samples import request

MakeExecutor = Callable[..., ChildExecutor]
T = TypeVar("T", bound=Event)


async def events_of(executor: ChildExecutor, job_id: str, script: str, attempt: int = 1) -> list[Event]:
    return [event async for event in executor.run(job_id, attempt, request(script))]


async def next_of(events: AsyncIterator[Event], kind: type[T]) -> T:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} came")


async def failure_of(executor: ChildExecutor, script: str) -> Failed:
    """Return how a script's run fails."""
    *_, last = await events_of(executor, "A", script)
    assert isinstance(last, Failed)
    return last


async def runs_well(executor: ChildExecutor) -> None:
    """Assert that a run succeeds now; if another is in progress, the child has then received every earlier message."""
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)
