"""The parent's side of checking pictures: a child with a deadline, restarted when it fails."""

import asyncio
import logging
from typing import Self

from generation.child.frames import Frame
from generation.child.parent import ChildProcess
from generation.errors import CheckFailed, ExecutorError
from generation.safety.priority_lock import PriorityLock
from generation.safety.verdict import Label, PictureVerdict, Verdict

log = logging.getLogger(__name__)

START_SECONDS = 60.0
# The child has a single working thread, so it needs no OpenMP pool and few arenas.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class PictureChecker:
    """Ask a child process what pictures show, one at a time, urgent ones first.

    A child that misses ``deadline_seconds`` or dies is replaced. A picture that cannot be checked raises CheckFailed
    and never yields a verdict.
    """

    def __init__(self, *, deadline_seconds: float = 30.0, worker: str = "generation.safety.worker") -> None:
        self._deadline_seconds = deadline_seconds
        self._worker = worker
        self._child: ChildProcess | None = None
        self._lock = PriorityLock()
        self._closed = False

    async def __aenter__(self) -> Self:
        """Start the child; if that fails, the log says so, and every picture tries again."""
        try:
            await self.start()
        except CheckFailed as error:
            log.error("pictures cannot be checked (%s), so none is accepted", error)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start the child and return when it is ready; raise CheckFailed if that is impossible."""
        async with self._lock.hold():
            await self._warm_child()

    @property
    def is_busy(self) -> bool:
        """Whether a picture would have to wait."""
        return self._lock.is_held

    async def check(self, data: bytes, *, is_urgent: bool = False) -> PictureVerdict:
        """Return the verdict on an encoded PNG, JPEG or WebP of ours; raise CheckFailed if there is none.

        If the child dies, another one tries once more: it may have died before it received this picture.
        """
        async with self._lock.hold(is_urgent=is_urgent):
            answer = await self._ask(data) or await self._ask(data)
        if answer is None:
            raise CheckFailed("died")
        if answer.kind != "verdict":
            raise CheckFailed(answer.fields.get("error", "unknown"))
        scores = {Label(label): score for label, score in answer.fields["scores"].items()}
        return PictureVerdict(verdict=Verdict(scores), perceptual_hash=answer.fields["perceptual_hash"])

    async def _ask(self, data: bytes) -> Frame | None:
        """Return the child's answer, or None if it died; raise CheckFailed if it takes too long."""
        child = await self._warm_child()
        answer: Frame | None = None
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await child.send(Frame("check", blobs=(data,)))
                answer = await child.receive()
        except TimeoutError:
            raise CheckFailed("too_slow") from None
        finally:
            # After a cancellation too: the outstanding verdict must not be mistaken for the next picture's.
            if answer is None:
                await self._end_child()
        return answer

    async def close(self) -> None:
        """Stop the child; anyone still waiting gets CheckFailed."""
        self._closed = True
        await self._end_child()

    async def _warm_child(self) -> ChildProcess:
        if self._closed:
            raise CheckFailed("closed")
        if self._child is not None and self._child.is_alive:
            return self._child
        await self._end_child()
        try:
            child = self._child = await ChildProcess.spawn(self._worker, environment=_ENVIRONMENT, trusted=False)
            if self._closed:  # closed while there was no child to stop yet
                await self._end_child()
                raise CheckFailed("closed")
            await child.get_ready(START_SECONDS)
        except ExecutorError as error:
            await self._end_child()
            raise CheckFailed("not_started") from error
        return child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.kill()
