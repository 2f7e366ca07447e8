"""The interface between the queue and whatever computes, kept small so that a stand-in is easy to write."""

from collections.abc import AsyncGenerator
from typing import Protocol

from generation.events import Event
from generation.requests import Img2ImgRequest


class Executor(Protocol):
    """Something that computes up to ``slots`` jobs at a time."""

    @property
    def slots(self) -> int:
        """How many jobs may run concurrently; known once ``start`` has returned."""
        ...

    async def start(self) -> None:
        """Get ready to accept jobs; raise ExecutorError if that is impossible."""
        ...

    def run(self, job_id: str, attempt: int, request: Img2ImgRequest) -> AsyncGenerator[Event, None]:
        """Compute one job: yield Started, Progress…, then exactly one final event.

        Losing the executor is an event too (``Failed`` with an executor-loss kind); the next ``run`` then gets a fresh
        one. The iterator ends only when the slot is free again. Closing it early cancels the job.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Ask a running job to end; its final event is then Cancelled, unless it finishes first."""
        ...

    async def stop(self) -> None:
        """Stop the executor and everything that it is still computing."""
        ...
