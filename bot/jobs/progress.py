"""What waiting members see: their place in the queue, the progress of a picture, and the time left as measured here."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.display.cards import Painting, Paused, Resting, Standing, Waiting
from bot.display.pace import NEAR
from bot.display.status import StatusBoard
from bot.jobs.estimates import Estimates
from bot.storage.job import Job
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService

# Between two changes of the queue only jobs near its front get a new estimate: every edit counts towards the channel's
# rate limit, which results need too.
_NEAR_INTERVAL_SECONDS = 10.0


@dataclass(slots=True)
class _RunProgress:
    """The progress of a running job, in device seconds; it shares the device with other running jobs."""

    seen: float  # when its last step arrived
    first_step: int
    seconds: float = 0.0  # since its first step
    seconds_left: float | None = None


class ProgressTracker:
    """Watches the open jobs and the generator, and keeps each job's status message up to date.

    ``open_jobs`` is the desk's own mapping, read here and never changed. ``clock`` counts seconds.
    """

    def __init__(
        self,
        open_jobs: Mapping[str, Job],
        service: GenerationService,
        board: StatusBoard,
        estimates: Estimates,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open_jobs
        self._service = service
        self._board = board
        self._estimates = estimates
        self._clock = clock
        self._progress: dict[str, _RunProgress] = {}
        self._near_shown = clock()

    def show_step(self, job: Job, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Show the progress of a running job; ``preview`` is a small JPEG of the unfinished picture."""
        now, sharing = self._clock(), self._sharing()
        progress = self._updated_progress(job, step, total_steps, now)
        left = None if progress.seconds_left is None else progress.seconds_left * sharing
        self._board.show(job, Painting(step, total_steps, left), preview)
        if now - self._near_shown >= _NEAR_INTERVAL_SECONDS:
            self._near_shown = now
            for waiting_job, waiting in itertools.islice(self.waiting(), NEAR):
                self._board.show(waiting_job, self._standing(waiting))

    def show_loss(self, job: Job) -> None:
        """Show that a job's progress is lost; when it runs again is unknown."""
        self.forget(job.job_id)
        self._board.show(job, self.resting())

    def show_queue(self) -> None:
        """Show every waiting job how many come first and how long that takes."""
        self._near_shown = self._clock()
        for job, waiting in self.waiting():
            self._board.show(job, self._standing(waiting))

    def _standing(self, waiting: Waiting) -> Standing:
        """Return what to show a waiting job: why nothing is started, or else its place."""
        return self.resting() or (Paused() if self._service.is_paused else waiting)

    def show_rest(self) -> None:
        """Show everyone, including those whose job was running, that a rest has begun or ended."""
        if (resting := self.resting()) is not None:
            for job_id in self._service.running_job_ids:
                if job_id in self._open:
                    self._board.show(self._open[job_id], resting)
        self.show_queue()

    def resting(self) -> Resting | None:
        """Return until when nothing is generated because the generation process keeps failing, or None."""
        seconds = self._service.rest_seconds_left
        return Resting(round(time.time() + seconds + 0.5)) if seconds else None

    def waiting(self) -> Iterator[tuple[Job, Waiting]]:
        """Yield the waiting jobs, in the order in which they will be served."""
        for turn in self._service.forecast(seconds_left=self._seconds_left, seconds=self._seconds):
            job = self._open.get(turn.job_id)
            if job is not None:
                yield job, Waiting(turn.ahead, turn.seconds)

    def forget(self, job_id: str) -> None:
        """Note that a job is no longer running."""
        self._progress.pop(job_id, None)

    async def settle(self, job: Job) -> bool:
        """Show a job's final state now; nothing later replaces it. Return False if Discord could not be told."""
        return await self._board.settle(job)

    async def close(self) -> None:
        """Send pending states and stop."""
        await self._board.close()

    def _sharing(self) -> int:
        """Return how many jobs share the device."""
        return max(1, len(self._service.running_job_ids))

    def _updated_progress(self, job: Job, step: int, total_steps: int, now: float) -> _RunProgress:
        """Update a job's progress: the time left by its own pace, or by the estimates until it has one."""
        progress = self._progress.get(job.job_id)
        if progress is None or step <= progress.first_step:  # the first report, or the first of another attempt
            progress = self._progress[job.job_id] = _RunProgress(now, step)
        elif progress.first_step == 0:  # the first step done: loading and encoding before it say nothing about the pace
            progress.first_step = step
        else:
            progress.seconds += (now - progress.seen) / self._sharing()
        progress.seen = now
        if progress.seconds:
            progress.seconds_left = progress.seconds / (step - progress.first_step) * (total_steps - step)
        else:
            whole = self._estimates.seconds(job)
            progress.seconds_left = None if whole is None else whole * (1 - step / max(1, total_steps))
        return progress

    def _seconds(self, ticket: Ticket) -> float | None:
        job = self._open.get(ticket.job_id)
        return None if job is None else self._estimates.seconds(job)

    def _seconds_left(self, ticket: Ticket) -> float | None:
        progress = self._progress.get(ticket.job_id)
        if progress is None or progress.seconds_left is None:
            return self._seconds(ticket)
        return max(0.0, progress.seconds_left - (self._clock() - progress.seen) / self._sharing())
