"""Metrics that are counted when something happens; none of them identifies a person or a prompt.

The names follow https://prometheus.io/docs/practices/naming/; figures that are read at each scrape are in
``bot.monitoring.gauges``.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from bot.monitoring.invalid_requests import InvalidRequests
from bot.storage.job import Job, JobState
from generation.events import FailureKind

# Discord allows 3 s; somebody should look into it from half of that.
_ACKNOWLEDGEMENT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
_PHASE_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

OUTCOMES = tuple(state.value for state in JobState if state.is_settled)
PHASES = ("intake", "wait", "painting", "delivery")
_OWN_FAILURES = ("check_failed", "download_failed", "input_expired", "result_lost", "bot_died")  # of this machine
STATUS_CLASSES = ("2xx", "4xx", "5xx", "none")
_INVALID_STATUSES = (401, 403, 429)


class Metrics:
    """All counters and histograms of one bot, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # they would double the number of series
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.acknowledgement_seconds = Histogram(
            "palimpsest_acknowledgement_seconds",
            "From an interaction's arrival until Discord has accepted the first response to it.",
            buckets=_ACKNOWLEDGEMENT_BUCKETS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "palimpsest_refusals_total", "Requests that were refused, by reason.", ["reason"], registry=self.registry
        )
        self.errors = Counter(
            "palimpsest_errors_total",
            "Unexpected errors; each has a reference in the log.",
            registry=self.registry,
        )
        self._jobs = Counter("palimpsest_jobs_total", "Settled jobs, by outcome.", ["outcome"], registry=self.registry)
        self._failures = Counter(
            "palimpsest_job_failures_total", "Failed jobs, by reason.", ["kind"], registry=self.registry
        )
        self._phase_seconds = Histogram(
            "palimpsest_job_phase_seconds",
            "How long the phases of a job took: intake, waiting, painting, delivery.",
            ["phase"],
            buckets=_PHASE_BUCKETS,
            registry=self.registry,
        )
        self._responses = Counter(
            "palimpsest_discord_responses_total",
            "Discord's HTTP responses, by class of status; none means that no response came.",
            ["status"],
            registry=self.registry,
        )
        self.invalid_requests = Counter(
            "palimpsest_discord_invalid_requests_total",
            "Responses 401, 403 and 429 that count; at 10,000 in ten minutes Discord blocks the address.",
            registry=self.registry,
        )
        self.recent_invalid_requests = InvalidRequests()
        Gauge(
            "palimpsest_discord_invalid_requests_recent",
            "Responses 401, 403 and 429 that count, in the last ten minutes.",
            registry=self.registry,
        ).set_function(lambda: self.recent_invalid_requests.recent)
        self._gateway_connections = Counter(
            "palimpsest_gateway_connections_total",
            "Sessions with Discord's gateway: new (ready) or resumed.",
            ["kind"],
            registry=self.registry,
        )
        self.loop_lag_seconds = Histogram(
            "palimpsest_loop_lag_seconds",
            "How late the event loop wakes a sleeping task, measured every second.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        self.database_commit_seconds = Histogram(
            "palimpsest_database_commit_seconds",
            "How long a transaction takes, from its start until it is safe on disk.",
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )
        # A rate needs a starting point: create every series now, since one that appears with its first event has none.
        for outcome in OUTCOMES:
            self._jobs.labels(outcome)
        for kind in (*FailureKind, *_OWN_FAILURES):
            self._failures.labels(kind)
        for phase in PHASES:
            self._phase_seconds.labels(phase)
        for status in STATUS_CLASSES:
            self._responses.labels(status)
        for kind in ("ready", "resumed"):
            self._gateway_connections.labels(kind)

    def refused(self, error: BaseException) -> None:
        """Count a refused request by its reason code."""
        self._refusals.labels(str(getattr(error, "reason", type(error).__name__))).inc()

    def settled(self, job: Job) -> None:
        """Count a settled job, and how long each phase of its life took."""
        self._jobs.labels(job.state.value).inc()
        if job.state is JobState.FAILED:
            self._failures.labels(job.failure_kind or "unknown").inc()
        moments = (
            job.accepted_at,
            job.queued_at,
            job.started_at,
            job.rendered_at,
            job.settled_at if job.state is JobState.DELIVERED else None,
        )
        for phase, begin, end in zip(PHASES, moments, moments[1:], strict=False):
            if begin is not None and end is not None:
                self._phase_seconds.labels(phase).observe(max(0.0, end - begin))  # a clock may be set back

    def answered(self, status: int | None, *, is_shared_limit: bool = False) -> None:
        """Count a response of Discord; None if there was none. A 429 of a shared limit is no invalid request."""
        self._responses.labels("none" if status is None else f"{status // 100}xx").inc()
        if status in _INVALID_STATUSES and not (status == 429 and is_shared_limit):
            self.invalid_requests.inc()
            self.recent_invalid_requests.note()

    def connected(self, *, is_resumed: bool) -> None:
        """Count a gateway session."""
        self._gateway_connections.labels("resumed" if is_resumed else "ready").inc()
