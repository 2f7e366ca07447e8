"""The interface between the queue and what computes, kept small so that a stand-in is easy to write."""

from collections.abc import AsyncGenerator
from typing import Protocol

from generation.events import Event
from generation.requests import Img2ImgRequest


class Executor(Protocol):
    """Something that computes up to ``slots`` jobs at a time."""

    @property
    def slots(self) -> int:
        """How many jobs may run at once; known once ``start`` has returned."""
        ...

    async def start(self) -> None:
        """Get ready to take jobs; raise ExecutorError if that is impossible."""
        ...

    def run(self, job_id: str, attempt: int, request: Img2ImgRequest) -> AsyncGenerator[Event, None]:
        """Compute one job: yield Started, Progress…, then exactly one final event.

        The loss of the executor is an event too (``Failed`` with an executor-loss kind), after which the next ``run``
        is served by a fresh one. The iterator ends only when the slot is free again. Leaving it early
        cancels the job.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a running job; its final event then is Cancelled, unless it was quicker."""
        ...

    async def stop(self) -> None:
        """End the executor and everything that it still computes."""
        ...
