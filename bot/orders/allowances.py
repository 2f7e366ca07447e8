"""How often and how much a member may request: a cooldown and a daily budget of seconds, by role and by operator."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from bot.errors import Refused
from bot.jobs.estimates import Estimates
from bot.orders.origin import Origin
from bot.storage.defaults import Layer
from bot.storage.job import Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.role_limits import RoleLimit, RoleLimits

DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """Seconds between two requests, and seconds of generation in 24 hours; 0 means no limit."""

    cooldown_seconds: int
    daily_budget_seconds: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The layer that sets a budget, and the seconds of generation in 24 hours that are used and available."""

    layer: Layer
    used_seconds: float
    seconds: int


NO_LIMIT = Allowance(0, 0)


def allowance_of(limits: Mapping[int, RoleLimit], role_ids: Sequence[int]) -> Allowance:
    """Return what a member's roles allow: the most generous of each number."""
    said = [limits[role_id] for role_id in role_ids if role_id in limits]
    cooldowns = [limit.cooldown_seconds for limit in said if limit.cooldown_seconds is not None]
    budgets = [limit.daily_budget_seconds for limit in said if limit.daily_budget_seconds is not None]
    return Allowance(min(cooldowns, default=0), 0 if 0 in budgets else max(budgets, default=0))


def may_ask(limits: Mapping[int, RoleLimit], role_ids: Sequence[int]) -> bool:
    """Return whether a member's roles let them request at all.

    One role that does is enough; if no role sets anything, they may.
    """
    said = {limits[role_id].may_ask for role_id in role_ids if role_id in limits}
    return True in said or False not in said


class Allowances:
    """Refuses members who request too often or have used up their budget.

    The operator's limits count a member's requests everywhere, a server's only those in the server; both apply. A
    request counts for 24 hours from when it was accepted: its measured seconds, its estimate while it is open, or the
    time it had cost when it was cancelled. Failed and expired ones do not count.
    """

    def __init__(
        self,
        jobs: Jobs,
        limits: RoleLimits,
        estimates: Estimates,
        operator: Allowance,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = jobs
        self._limits = limits
        self._estimates = estimates
        self._operator = operator
        self._clock = clock

    async def require(self, origin: Origin, *, is_asking: bool = False, instead_of: Job | None = None) -> None:
        """Raise Refused: ``role_not_allowed``, or ``cooldown`` or ``budget_spent`` with the time at which it ends.

        ``is_asking`` says that another request of theirs is being accepted right now. ``instead_of`` is a job that does
        not count, because this request replaces it.
        """
        if not may_ask(self._limits.of(origin.guild_id), origin.role_ids):
            raise Refused("role_not_allowed")
        for layer, allowance, jobs in await self._counted(origin, instead_of):
            if is_asking and allowance.cooldown_seconds:
                raise Refused("cooldown", layer=layer, until=round(self._clock() + allowance.cooldown_seconds))
            self._require(layer, allowance, jobs)

    async def budgets(self, origin: Origin) -> list[Budget]:
        """Return every budget that applies to a member there, and how much of it is used."""
        return [
            Budget(layer, sum(map(self._seconds, jobs)), allowance.daily_budget_seconds)
            for layer, allowance, jobs in await self._counted(origin)
            if allowance.daily_budget_seconds
        ]

    async def _counted(self, origin: Origin, instead_of: Job | None = None) -> list[tuple[Layer, Allowance, list[Job]]]:
        """Return each layer's allowance with the jobs of the last 24 hours that count against it, oldest first."""
        server = allowance_of(self._limits.of(origin.guild_id), origin.role_ids)
        if server == self._operator == NO_LIMIT:
            return []
        now = self._clock()
        recent = await self._jobs.of_requester_since(origin.requester_id, now - DAY_SECONDS)
        # If the clock was set back, some requests lie in the future; they count from now on instead.
        past = (replace(job, accepted_at=min(job.accepted_at, now)) for job in recent)
        past = sorted(past, key=attrgetter("accepted_at"))
        replaced_id = None if instead_of is None else instead_of.job_id
        past = [job for job in past if job.job_id != replaced_id]
        counted = [job for job in past if job.state not in (JobState.FAILED, JobState.EXPIRED)]
        here = [job for job in counted if job.guild_id == origin.guild_id]
        return [(Layer.OPERATOR, self._operator, counted), (Layer.SERVER, server, here)]

    def _require(self, layer: Layer, allowance: Allowance, jobs: Sequence[Job]) -> None:
        if allowance.cooldown_seconds and jobs:
            until = jobs[-1].accepted_at + allowance.cooldown_seconds
            if until > self._clock():
                raise Refused("cooldown", layer=layer, until=round(until + 0.5))
        if allowance.daily_budget_seconds:
            until = self._spent_until(allowance.daily_budget_seconds, jobs)
            if until is not None:
                raise Refused(
                    "budget_spent", layer=layer, seconds=allowance.daily_budget_seconds, until=round(until + 0.5)
                )

    def _spent_until(self, budget_seconds: int, jobs: Sequence[Job]) -> float | None:
        """Return when enough of the jobs (oldest first) will be a day old, or None if some budget is left now."""
        spent = sum(self._seconds(job) for job in jobs)
        until = None
        for job in jobs:
            if spent < budget_seconds:
                break
            spent -= self._seconds(job)
            until = job.accepted_at + DAY_SECONDS
        return until

    def _seconds(self, job: Job) -> float:
        if job.seconds is not None:
            return job.seconds
        if not job.state.is_settled:
            return self._estimates.cost(job)
        if job.state is JobState.CANCELLED and job.started_at is not None and job.settled_at is not None:
            # Its previews were seen. Beside others it ran longer than the device time that it used.
            return min(max(0.0, job.settled_at - job.started_at), self._estimates.cost(job))
        return 0.0
