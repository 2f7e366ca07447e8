"""What those who wait are shown: who comes first, how far a picture is, and how long it takes as measured here."""

from collections.abc import Iterator, Mapping

from bot.cards import Painting, Waiting
from bot.estimates import Estimates
from bot.status import StatusBoard
from bot.storage.job import Job
from generation.service import GenerationService


class Lookout:
    """Look at the open jobs and the generator, and keep the status message of each job true.

    ``open_jobs`` is the desk's own mapping, read here and never changed.
    """

    def __init__(
        self, open_jobs: Mapping[str, Job], service: GenerationService, board: StatusBoard, estimates: Estimates
    ) -> None:
        self._open = open_jobs
        self._service = service
        self._board = board
        self._estimates = estimates
        self._painting: dict[str, Painting] = {}

    def show_step(self, job: Job, step: int, total_steps: int) -> None:
        """Show how far a running job is."""
        whole = self._estimates.seconds(job)
        left = None if whole is None else whole * (1 - step / max(1, total_steps))
        self._painting[job.job_id] = Painting(step, total_steps, left)
        self._board.show(job, self._painting[job.job_id])

    def show_queue(self) -> None:
        """Tell every waiting job how many come first and how long that takes."""
        for job, waiting in self.waiting():
            self._board.show(job, waiting)

    def waiting(self) -> Iterator[tuple[Job, Waiting]]:
        """Yield what waits, in the order in which it will be served."""
        running = self._service.running_job_ids
        seconds: float | None = 0.0
        for job_id in running:
            seconds = _plus(seconds, self._seconds_left(job_id))
        for ahead, job_id in enumerate(self._service.waiting_job_ids, start=len(running)):
            job = self._open.get(job_id)
            if job is not None:
                seconds = _plus(seconds, self._estimates.seconds(job))
                yield job, Waiting(ahead, seconds)

    def forget(self, job_id: str) -> None:
        """Note that a job is not being painted any more."""
        self._painting.pop(job_id, None)

    async def settle(self, job: Job) -> None:
        """Show a job's last state now; nothing later replaces it."""
        await self._board.settle(job)

    async def close(self) -> None:
        """Send what waits to be shown and end."""
        await self._board.close()

    def _seconds_left(self, job_id: str) -> float | None:
        if (painting := self._painting.get(job_id)) is not None:
            return painting.seconds
        job = self._open.get(job_id)
        return None if job is None else self._estimates.seconds(job)


def _plus(seconds: float | None, more: float | None) -> float | None:
    return None if seconds is None or more is None else seconds + more
