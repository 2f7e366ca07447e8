"""Estimates of how long a job takes on this machine, learnt from earlier jobs."""

import itertools
import statistics
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from bot.storage.job import Job
from bot.storage.jobs import Jobs
from generation.requests import denoising_steps

_REMEMBERED = 20
_GUESSED_SECONDS_PER_WORK = 1.0
_UNLIKE = 1.5  # two jobs count for the slope only if their work differs by this factor
_FLATTEST = 8  # the slope is at least the lowest rate divided by this: a few points may suggest no slope at all


def work(job: Job) -> float:
    """Return the amount of work in a job: denoising steps times megapixels."""
    steps = sum(denoising_steps(strength, job.num_inference_steps) for strength in job.strength_of_each)
    return steps * job.max_pixels / 1_000_000


@dataclass(frozen=True, slots=True)
class _Pace:
    """The fixed time per picture (encoding, decoding, checks), and the time per unit of work."""

    fixed_seconds: float
    seconds_per_work: float

    def seconds(self, job: Job) -> float:
        return job.count * self.fixed_seconds + self.seconds_per_work * work(job)


class _Measured:
    """The work and the seconds per picture of a model's most recent jobs."""

    def __init__(self, jobs: Collection[Job] = ()) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self.pace: _Pace | None = None  # needed for every waiting job, so it is computed once
        self.add(*jobs)

    def add(self, *jobs: Job) -> None:
        self._points.extend((work(job) / job.count, job.seconds / job.count) for job in jobs if job.seconds is not None)
        self.pace = self._line() if self._points else None

    def _line(self) -> _Pace:
        """Fit a line through the points by medians (Theil–Sen), which one job with a slow model load does not tilt.

        Jobs of similar size say nothing about the fixed part; then all time is assumed to grow with the work.
        """
        rates = [seconds / work for work, seconds in self._points]
        slopes = [
            (seconds - other_seconds) / (work - other_work)
            for (work, seconds), (other_work, other_seconds) in itertools.combinations(self._points, 2)
            if max(work, other_work) >= _UNLIKE * min(work, other_work)
        ]
        if not slopes:
            return _Pace(0.0, statistics.median(rates))
        slope = min(max(statistics.median(slopes), min(rates) / _FLATTEST), statistics.median(rates))
        fixed = statistics.median(seconds - slope * work for work, seconds in self._points)
        return _Pace(max(0.0, fixed), slope)


class Estimates:
    """The measured pace of each model; None until something has been measured.

    Estimates are in device seconds: jobs that run side by side share the device.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._measured: dict[str, _Measured] = {}

    async def load(self, model: str) -> None:
        """Load earlier runs' measurements, once per model: every job asks, and the query scans all rows."""
        if model not in self._measured:
            measured = await self._jobs.last_measured(model, _REMEMBERED)
            self._measured.setdefault(model, _Measured(measured[::-1]))

    def learn(self, job: Job) -> None:
        """Add a job that has just been measured."""
        self._measured.setdefault(job.model, _Measured()).add(job)

    def seconds(self, job: Job) -> float | None:
        """Return the device seconds that a job is expected to need."""
        measured = self._measured.get(job.model)
        return None if measured is None or measured.pace is None else measured.pace.seconds(job)

    def cost(self, job: Job) -> float:
        """Return the seconds that a job counts for in the queue and in budgets, guessed if nothing has been measured.

        An unmeasured model counts as slow as the slowest measured one, so that choosing it is no way around the limits.
        """
        seconds = self.seconds(job)
        if seconds is not None:
            return seconds
        paces = (measured.pace for measured in self._measured.values() if measured.pace is not None)
        return max((pace.seconds(job) for pace in paces), default=_GUESSED_SECONDS_PER_WORK * work(job))
