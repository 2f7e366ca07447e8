"""How long a job takes on this machine, from the jobs that it has done."""

import statistics
from collections import deque

from bot.storage.job import Job
from bot.storage.jobs import Jobs
from generation.requests import denoising_steps

_REMEMBERED = 20
_GUESSED_SECONDS_PER_WORK = 1.0


def work(job: Job) -> float:
    """Return the work in a job: denoising steps times megapixels."""
    steps = job.count * denoising_steps(job.strength, job.num_inference_steps)
    return steps * job.max_pixels / 1_000_000


class Estimates:
    """The measured seconds per unit of work, by model; None until something has been measured.

    They are seconds of the device: jobs that are painted side by side divide them among themselves.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._seconds_per_work: dict[str, deque[float]] = {}

    async def load(self, model: str) -> None:
        """Take up what earlier runs measured."""
        measured = await self._jobs.last_measured(model, _REMEMBERED)
        rates = (job.seconds / work(job) for job in reversed(measured) if job.seconds is not None)
        self._seconds_per_work[model] = deque(rates, maxlen=_REMEMBERED)

    def learn(self, job: Job) -> None:
        """Take up a job that has just been measured."""
        if job.seconds is not None:
            rates = self._seconds_per_work.setdefault(job.model, deque(maxlen=_REMEMBERED))
            rates.append(job.seconds / work(job))

    def seconds(self, job: Job) -> float | None:
        """Return the seconds that a job is expected to want of the device."""
        rates = self._seconds_per_work.get(job.model)
        return statistics.median(rates) * work(job) if rates else None

    def cost(self, job: Job) -> float:
        """Return the seconds that a job counts for in the queue and in budgets, guessed where nothing was measured.

        The guess takes the model for as quick as the slowest one here that was, so that an unknown one is no bargain.
        """
        seconds = self.seconds(job)
        if seconds is not None:
            return seconds
        known = [statistics.median(rates) for rates in self._seconds_per_work.values() if rates]
        return max(known, default=_GUESSED_SECONDS_PER_WORK) * work(job)
