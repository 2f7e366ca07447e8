"""Runs a job that has a slot on the executor, and again if the executor is lost."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Set

from generation.errors import ExecutorError
from generation.events import Cancelled, Event, Failed, FailureKind, Finished
from generation.executors.base import Executor
from generation.requests import Img2ImgRequest
from generation.serving.queue import Ticket
from generation.serving.recovery import Recovery

log = logging.getLogger(__name__)

Report = Callable[[Event], Awaitable[None]]
NoteAttempt = Callable[[str, int], Awaitable[None]]
MAX_ATTEMPTS = 2  # the sentences about lost executors say "twice"


class Attempts:
    """Run jobs on the executor; a job lost with the executor is run once more.

    Every event is awaited in ``report`` before the next is taken; ``note_attempt`` is awaited as soon as an attempt is
    lost, before any waiting. An executor that could not be started costs no attempt. ``running`` is a live view of the
    jobs that have a slot. ``recovery`` decides when a job may begin.
    """

    def __init__(
        self,
        executor: Executor,
        recovery: Recovery,
        running: Set[str],
        *,
        report: Report,
        note_attempt: NoteAttempt,
    ) -> None:
        self._executor = executor
        self._recovery = recovery
        self._running = running
        self._report = report
        self._note_attempt = note_attempt
        self._cancelled: set[str] = set()
        self._closing = False
        self.not_begun: list[str] = []  # jobs still waiting for their turn when the service closed

    async def start(self) -> None:
        """Retry until the executor has started or the service closes; jobs wait in the meantime."""
        while not self._closing:
            try:
                await self._executor.start()
                return
            except ExecutorError as error:
                log.error("the generation process did not start: %s", error)
                self._recovery.rest()
                while self._recovery.rest_seconds_left and not self._closing:
                    await self._recovery.change()

    async def run(self, ticket: Ticket, request: Img2ImgRequest) -> None:
        """Run a job and report its events; a job without a final event was interrupted, or is in ``not_begun``."""
        job_id, attempt = ticket.job_id, ticket.attempt
        while True:
            if attempt > 1:
                self._recovery.begin_again(job_id)
            while not (may_begin := self._recovery.may_begin(job_id, self._running)):
                if self._closing or job_id in self._cancelled:
                    break
                await self._recovery.change()
            if job_id in self._cancelled:
                await self._report(Cancelled(job_id=job_id, attempt=attempt))
                return
            if not may_begin:  # the service is closing
                self.not_begun.append(job_id)
                return
            losses = self._recovery.begin(job_id)
            loss = await self._run_once(job_id, attempt, request)
            if loss is None:
                return
            self._recovery.lost(loss, losses)
            if loss.kind.is_executor_loss:
                if attempt >= MAX_ATTEMPTS:
                    await self._report(loss)
                    return
                attempt += 1
                log.warning("job %s lost its executor (%s); trying again", job_id, loss.kind)
                await self._note_attempt(job_id, attempt)

    def cancel(self, job_id: str) -> None:
        """End a job through its own Cancelled event."""
        self._cancelled.add(job_id)
        self._executor.cancel(job_id)
        self._recovery.wake()

    def forget(self, job_id: str) -> None:
        """Forget a job that no longer has a slot."""
        self._cancelled.discard(job_id)
        self._recovery.forget(job_id)

    def close(self) -> None:
        """Let no further job begin."""
        self._closing = True
        self._recovery.wake()

    async def _run_once(self, job_id: str, attempt: int, request: Img2ImgRequest) -> Failed | None:
        """Report the events of one attempt; return its failure if the executor was lost or could not be started."""
        async with contextlib.aclosing(self._executor.run(job_id, attempt, request)) as events:
            async for event in events:
                if isinstance(event, Failed) and (
                    event.kind.is_executor_loss or event.kind is FailureKind.EXECUTOR_UNAVAILABLE
                ):
                    return event
                if isinstance(event, Finished | Failed):
                    self._recovery.succeeded()
                await self._report(event)
        return None
