"""The open jobs, and the background task that works on each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any

from bot.storage.job import Job, JobState
from generation.references import current_job_id, new_reference
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

_DELIVERY_SECONDS = 2.0  # an interaction must be answered within 3 s

StepFailed = Callable[[Job, str], Awaitable[None]]


class OpenJobs(Mapping[str, Job]):
    """Every open job, with its row's data and at most one step in progress.

    All of this can be rebuilt from the rows. ``step_failed`` is called with a job whose step failed unexpectedly, and
    with the reference under which the log has the stack.
    """

    def __init__(self, step_failed: StepFailed) -> None:
        self._step_failed = step_failed
        self._jobs: dict[str, Job] = {}
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False

    def __getitem__(self, job_id: str) -> Job:
        return self._jobs[job_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    def remember(self, job: Job) -> None:
        """Remember a job with its row's current data."""
        self._jobs[job.job_id] = job

    def forget(self, job_id: str) -> None:
        """Forget a job that is over."""
        self._jobs.pop(job_id, None)

    def count(self, requester_id: int | None = None) -> int:
        """Return how many jobs are open, in total or of one member."""
        return sum(requester_id in (None, job.requester_id) for job in self._jobs.values())

    def count_in(self, guild_id: int | None) -> int:
        """Return how many jobs are open in one server, or in all direct messages (None)."""
        return sum(job.guild_id == guild_id for job in self._jobs.values())

    def in_channel(self, channel_id: int) -> list[Job]:
        """Return the open jobs of a channel."""
        return [job for job in self._jobs.values() if job.channel_id == channel_id]

    def start_step(self, job: Job, step: Coroutine[Any, Any, None]) -> None:
        """Remember a job and run a step of its life in the background; after ``close`` it is left to the next start."""
        self.remember(job)
        if self._is_closed:
            step.close()
            return
        task = asyncio.create_task(self._guarded(job, step))
        self._steps[job.job_id] = task
        task.add_done_callback(lambda _: self._steps.pop(job.job_id, None))

    async def wait_until_delivered(self, *job_ids: str) -> None:
        """Wait briefly for deliveries in progress: people see and answer a result before its row has the message id."""
        rendered = [job_id for job_id in job_ids if job_id in self and self[job_id].state is JobState.RENDERED]
        steps = [self._steps[job_id] for job_id in rendered if job_id in self._steps]
        if steps:
            await asyncio.wait(steps, timeout=_DELIVERY_SECONDS)

    async def close(self, grace_seconds: float) -> None:
        """Give steps in progress ``grace_seconds``, then leave them to the next start."""
        self._is_closed = True
        steps = list(self._steps.values())
        if steps:
            await asyncio.wait(steps, timeout=grace_seconds)
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)

    async def _guarded(self, job: Job, step: Coroutine[Any, Any, None]) -> None:
        current_job_id.set(job.job_id)
        try:
            await step
        except Exception as error:
            # The last resort for a background step: whatever failed, the person is told and the other jobs go on.
            reference = new_reference()
            log.error("a step of job %s failed [%s]\n%s", job.job_id, reference, stack_of(error))
            await self._step_failed(job, reference)
