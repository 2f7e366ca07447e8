"""How a job ends, whatever its state: its row first, then its slot and files, then its final status."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from bot.errors import Refused
from bot.jobs.delivery import Delivery
from bot.jobs.open_jobs import OpenJobs
from bot.jobs.progress import ProgressTracker
from bot.storage.job import CancelReason, Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble, retry_on_storage_trouble
from generation.events import FailureKind
from generation.sentences import failure_sentence
from generation.serving.service import GenerationService
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)


class Endings:
    """Ends jobs and shows it; what cannot be shown now is shown after the next start."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        spool: Spool,
        delivery: Delivery,
        service: GenerationService,
        open_jobs: OpenJobs,
        progress: ProgressTracker,
        note_settled: Callable[[Job], None],
    ) -> None:
        self._jobs = jobs
        self._spool = spool
        self._delivery = delivery
        self._service = service
        self._open = open_jobs
        self._progress = progress
        self._note_settled = note_settled
        self.background: set[asyncio.Task[None]] = set()  # tasks that tell people about settled jobs

    async def cancel(self, job_id: str, reason: CancelReason | None = None) -> bool:
        """Cancel a job; return False if it was already over.

        ``reason`` is set if the requester may be unaware of it; the status message shows it. If nothing can be stored
        the job is cancelled all the same, and its row is updated as soon as possible. Until then a restart would run it
        again: raises Refused (``cancelled_unstored``).
        """
        try:
            cancelled = await self._jobs.cancel(job_id, reason)
        except StorageTrouble as error:
            if (job := self._open.get(job_id)) is not None:  # otherwise it is already being cancelled
                self._open.forget(job_id)
                self._service.cancel(job_id)
                self.in_background(self._cancel_once_stored(job, reason))
            raise Refused("cancelled_unstored") from error
        if cancelled is None:
            return False
        self._service.cancel(job_id)
        # Wait until the message says so, since the caller may delete that message next.
        await asyncio.wait([await self.settle(cancelled)])
        return True

    async def expire(self, job: Job, reason: str) -> None:
        """Settle a job in any state because nobody is left to answer."""
        expired = await retry_on_storage_trouble(lambda: self._jobs.expire(job.job_id, reason))
        if expired is not None:
            log.info("job %s expired: %s", job.job_id, reason)
            self._service.cancel(job.job_id)
            await self._spool.delete(job.job_id)
            await self.settle(expired)

    async def fail(self, job: Job, kind: str, reference: str = "", **data: Any) -> None:
        """End a job without a picture; ``data`` holds the values for its sentence."""
        failed = await retry_on_storage_trouble(lambda: self._jobs.fail(job.job_id, kind, reference, data))
        if failed is not None:
            if kind == FailureKind.MODEL_UNAVAILABLE:
                log.error("job %s: %s", job.job_id, failure_sentence(FailureKind.MODEL_UNAVAILABLE, data))
            else:
                log.info("job %s failed: %s %s", job.job_id, kind, reference)
            await self._spool.delete(job.job_id, keep=INPUT_FILENAME if failed.can_be_tried_again else None)
            await self.settle(failed)

    async def settle(self, job: Job) -> asyncio.Task[None]:
        """Forget a job, and return the task that shows its final state.

        Nothing waits for that task: even if Discord is slow, the next job gets the slot and the bot starts.
        """
        self._open.forget(job.job_id)
        self._progress.forget(job.job_id)
        self._note_settled(job)
        if job.state is JobState.CANCELLED:
            await self._spool.delete(job.job_id)
        self._progress.show_queue()
        return self.in_background(self.show_end(job))

    async def show_end(self, job: Job) -> None:
        """Make the status message say how a job ended.

        If no status message is known, one may still be on its way: whoever waits for it, or the next start, handles
        that.
        """
        is_said = await self._progress.settle(job) and job.status_message_id is not None
        if is_said and not self.may_have_been_sent(job):
            await self.note_end_shown(job)

    @staticmethod
    def may_have_been_sent(job: Job) -> bool:
        """Return whether the result of a cancelled job may be in the channel all the same."""
        return job.state is JobState.CANCELLED and job.rendered_at is not None

    async def withdraw(self, job: Job, message_id: int | None = None) -> None:
        """Delete a result that was cancelled during delivery, by its message id or by searching for it, and say so.

        Only then does the end of such a job count as shown, so that the next start resumes an interrupted withdrawal.
        """
        await self._delivery.withdraw(job, message_id)
        if await self._progress.settle(job):
            await self.note_end_shown(job)

    async def note_end_shown(self, job: Job) -> None:
        """Record that nothing is left to say about a job."""
        with contextlib.suppress(StorageTrouble):  # the end is then shown again after the next start
            await self._jobs.note_end_shown(job)

    async def message_deleted(self, message_id: int) -> None:
        """Cancel the job whose request or status message was deleted."""
        for job in list(self._open.values()):
            if message_id in (job.request_message_id, job.status_message_id):
                reason = CancelReason.REQUEST_DELETED if message_id == job.request_message_id else None
                with contextlib.suppress(Refused):  # it is cancelled all the same
                    await self.cancel(job.job_id, reason)

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine that nobody waits for, and keep a reference to its task."""
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self._is_over)
        return task

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("telling how a job ended failed\n%s", stack_of(error))

    async def _cancel_once_stored(self, job: Job, reason: CancelReason | None) -> None:
        self._progress.forget(job.job_id)
        await self._progress.settle(replace(job, state=JobState.CANCELLED, failure_data={"reason": reason}))
        cancelled = await retry_on_storage_trouble(lambda: self._jobs.cancel(job.job_id, reason))
        if cancelled is not None:
            self._service.cancel(job.job_id)  # another step that waited for storage may have queued it again
            await self.settle(cancelled)


def as_ended(job: Job, row: Job | None) -> Job:
    """Return a job that is over in its final state, with its status message.

    The row of a forgotten job may be deleted, and while nothing can be stored the row is not up to date.
    """
    ended = row if row is not None and row.state.is_settled else replace(job, state=JobState.CANCELLED)
    return replace(ended, status_message_id=job.status_message_id)
