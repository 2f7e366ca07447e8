"""How long a job takes on this machine, from the jobs that it has done."""

import statistics
from collections import deque

from bot.storage.job import Job
from bot.storage.jobs import Jobs
from generation.requests import denoising_steps

_REMEMBERED = 20


def cost(job: Job) -> float:
    """Return the work in a job: denoising steps times megapixels."""
    steps = job.count * denoising_steps(job.strength, job.num_inference_steps)
    return steps * job.max_pixels / 1_000_000


class Estimates:
    """The measured seconds per unit of cost, by model; None until something has been measured."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._seconds_per_cost: dict[str, deque[float]] = {}

    async def load(self, model: str) -> None:
        """Take up what earlier runs measured."""
        measured = await self._jobs.last_measured(model, _REMEMBERED)
        rates = (job.seconds / cost(job) for job in reversed(measured) if job.seconds is not None)
        self._seconds_per_cost[model] = deque(rates, maxlen=_REMEMBERED)

    def learn(self, job: Job) -> None:
        """Take up a job that has just been measured."""
        if job.seconds is not None:
            rates = self._seconds_per_cost.setdefault(job.model, deque(maxlen=_REMEMBERED))
            rates.append(job.seconds / cost(job))

    def seconds(self, job: Job) -> float | None:
        """Return the expected seconds of a job once it has its turn."""
        rates = self._seconds_per_cost.get(job.model)
        return statistics.median(rates) * cost(job) if rates else None
