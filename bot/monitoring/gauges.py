"""The current state, read on request: queue, generation process, readiness."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.storage.job import Job
from generation.events import EXECUTOR_LOSSES


class ExecutorFigures(Protocol):
    """The figures read from the generation process."""

    @property
    def pid(self) -> int | None: ...
    @property
    def is_warm(self) -> bool: ...
    @property
    def device_memory_bytes(self) -> int | None: ...
    @property
    def losses(self) -> Mapping[str, int]: ...


class Bot(Protocol):
    """The state read from the bot."""

    def obstacles(self) -> list[str]: ...
    def open_jobs(self) -> tuple[Sequence[Job], Sequence[Job]]: ...


class Gauges(Collector):
    """Gauges that are read from their source at every scrape, so that none can be stale."""

    def __init__(self, bot: Bot, executor: ExecutorFigures) -> None:
        self._bot = bot
        self._executor = executor

    def not_ready(self) -> list[str]:
        """Return the reasons why no picture would be generated now; an empty list if there are none."""
        reasons = self._bot.obstacles()
        if not self._executor.is_warm:
            reasons.append("the generation process is not running with its model loaded")
        return reasons

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Describe nothing: at registration there may be nothing to read yet."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """Yield every current figure."""
        running, waiting = self._bot.open_jobs()
        queue = GaugeMetricFamily("palimpsest_queue_jobs", "Waiting and running jobs.", labels=["state"])
        queue.add_metric(["waiting"], len(waiting))
        queue.add_metric(["running"], len(running))
        yield queue
        oldest = min((job.queued_at for job in waiting if job.queued_at is not None), default=None)
        yield GaugeMetricFamily(
            "palimpsest_oldest_wait_seconds",
            "How long the longest-waiting job has waited; 0 if none is waiting.",
            value=0.0 if oldest is None else max(0.0, time.time() - oldest),
        )
        losses = CounterMetricFamily(
            "palimpsest_executor_restarts",
            "Generation processes that were lost and replaced, by cause.",
            labels=["cause"],
        )
        for cause in EXECUTOR_LOSSES:
            losses.add_metric([cause.value], self._executor.losses.get(cause.value, 0))
        yield losses
        yield GaugeMetricFamily(
            "palimpsest_executor_resident_memory_bytes",
            "Memory of the generation process; 0 if there is none.",
            value=_resident_bytes(self._executor.pid),
        )
        device = self._executor.device_memory_bytes
        if device is not None:
            yield GaugeMetricFamily(
                "palimpsest_executor_device_memory_bytes",
                "Graphics memory held by the generation process; absent on a CPU.",
                value=device,
            )
        yield GaugeMetricFamily(
            "palimpsest_ready", "1 if a request would be painted now, as /readyz says.", value=not self.not_ready()
        )


def _resident_bytes(pid: int | None) -> int:
    try:
        return psutil.Process(pid).memory_info().rss if pid is not None else 0
    except psutil.Error:  # it has just ended
        return 0
