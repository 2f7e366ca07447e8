"""Retention: deletes whatever is past its retention time or over the size limit."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from bot.storage.job import JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

_SET_SECONDS = 3600.0  # the clock of a suspended machine is usually off by less


class Janitor:
    """Deletes what is kept of settled jobs once its retention time is over.

    Input pictures are deleted after ``input_retention_hours``, the oldest ones sooner if they exceed ``max_bytes`` in
    total; the rows, with prompts and all, after ``job_retention_days``. ``sweep_more`` deletes other data. A sweep that
    finds the clock changed by more than an hour deletes nothing: if the clock is corrected before the next sweep,
    nothing is lost. ``clock`` counts seconds since 1970, ``steady_clock`` is monotonic.
    """

    def __init__(
        self,
        jobs: Jobs,
        spool: Spool,
        *,
        input_retention_hours: float,
        job_retention_days: float,
        max_bytes: int,
        sweep_more: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._spool = spool
        self._input_retention_hours = input_retention_hours
        self._job_retention_days = job_retention_days
        self._max_bytes = max_bytes
        self._sweep_more = sweep_more
        self._clock = clock
        self._steady_clock = steady_clock
        self._difference = clock() - steady_clock()

    async def run(self, interval_seconds: float = 600.0) -> None:
        """Sweep every ``interval_seconds``, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (StorageTrouble, OSError) as error:
                log.error("expired data could not be deleted: %s", error)
            except Exception as error:
                # The last resort: a sweep that fails must not be the last one, nor interfere with the bot's shutdown.
                log.error("a sweep failed\n%s", stack_of(error))
            await asyncio.sleep(interval_seconds)

    async def sweep(self) -> None:
        """Delete what is due; pictures of open jobs are never touched."""
        if self._was_clock_set():
            log.warning("the clock was changed by more than an hour; nothing is deleted until the next sweep")
            return
        await self._delete_pictures()
        # Rows come last: on a full disk nothing can be written until deleted pictures have made room.
        await self._jobs.forget_settled_before(self._clock() - self._job_retention_days * 86_400)
        if self._sweep_more is not None:
            await self._sweep_more()

    async def _delete_pictures(self) -> None:
        found = await self._spool.job_ids()
        # Queried afterwards, because a job's row is older than its files.
        open_ids = {job.job_id for job in await self._jobs.unsettled()}
        kept = [job_id for job_id in found if job_id not in open_ids]
        due_before = self._clock() - self._input_retention_hours * 3600
        size_bytes = await self._spool.size_bytes()
        for job_id in kept:
            job = await self._jobs.get(job_id)
            # If the bot was killed halfway, pictures of jobs that no longer need them are left.
            is_kept = job is not None and (job.state is JobState.DELIVERED or job.can_be_tried_again)
            is_due = job is None or not is_kept or (job.settled_at or 0) <= due_before
            if is_due or size_bytes > self._max_bytes:
                size_bytes -= await self._spool.job_size_bytes(job_id)
                await self._spool.delete(job_id)
            else:
                await self._spool.delete(job_id, keep=INPUT_FILENAME)

    def _was_clock_set(self) -> bool:
        known, self._difference = self._difference, self._clock() - self._steady_clock()
        return abs(self._difference - known) > _SET_SECONDS
