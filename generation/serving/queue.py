"""Who is next: first come, first served for each owner; fair by cost between owners; and no crowd before a lone one."""

import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A waiting job, without its payload; ``owner`` and ``group`` are opaque to this package.

    ``cost`` is what the job takes away from the others, in any unit that is the same for all tickets. ``model`` is the
    model that it needs in memory. ``runs_alone`` marks a job that may take everything down with it; this queue ignores
    it.
    """

    job_id: str
    owner: str
    group: str
    model: str = ""
    attempt: int = 1
    cost: float = 1.0
    runs_alone: bool = False


_TIE_SHARE = 0.5  # of a service's cost: starts that differ by less count as equal


@dataclass(slots=True)
class _Owner:
    """An owner's line of tickets, and their position in virtual time and in the count of events (``moment``).

    ``start`` is where their next service starts; ``waits_since`` is the moment since which they have been waiting for
    it. Their last service ended at ``end`` and was given to them at the moment ``served``.
    """

    name: str
    line: deque[Ticket]
    start: float
    waits_since: int
    end: float = 0.0
    served: int = 0

    def copy(self) -> "_Owner":
        return replace(self, line=self.line.copy())


def _ties_with(later: _Owner, owner: _Owner) -> bool:
    """Tell whether ``later`` counts as starting no later than ``owner``."""
    return later.start < owner.start + _TIE_SHARE * owner.line[0].cost


def _passes_twice(owner: _Owner, waiting: Iterable[_Owner]) -> bool:
    """Tell whether an owner would be served a second time before one of those ``waiting``, who come longest first."""
    longer = itertools.takewhile(lambda other: other.waits_since < owner.served, waiting)
    return any(_ties_with(other, owner) for other in longer)


class FairQueue:
    """Give every owner the same share of service, measured in cost, and nobody two turns before another's one.

    Start-time fair queuing (Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248157.248171): an owner's next service
    starts, in virtual time, where their last one ended, or now for a newcomer, and the smallest start is served. The
    shares are those of deficit round-robin (Shreedhar, Varghese 1995, https://doi.org/10.1145/217391.217453), but there
    is no quantum to choose. There, a round has to be as long as the most expensive job; here, a newcomer's start is
    now, so they wait for running jobs and not for a round.

    Starts that are less than half a service apart count as equal, because measurements of similar services differ.
    Among those, groups take turns, so that a lone owner in a small group does not wait for a whole crowd that came a
    moment earlier; within a group, whoever has waited longest comes first. But nobody who has been served since another
    owner began to wait is served again before that owner. An owner has one share however many groups they wait in, and
    a group has as many shares as it has waiting owners: a direct message is no way around the others.

    A ticket is charged its estimated cost when it is served, because others are served while it runs. ``settle``
    replaces the estimate with the actual cost, so that in the end shares follow what was measured, however wrong the
    estimates were. There is one exception: an owner who returns after having nothing waiting owes at most the cost of
    one job. Otherwise small differences between measurements of similar jobs would add up, until members of a crowd get
    two jobs in before theirs instead of one.

    Switching models takes long, and everyone waits for it. So an owner who wants the model of the last service goes
    before the owner whose turn it is, if that one wants another model. The latter is passed over at most ``patience``
    times, by nobody twice, and the shares stay the same.
    """

    def __init__(self, patience: int = 4) -> None:
        self._patience = patience
        self._model = ""  # of the last service
        self._passed = 0  # how many times the owner whose turn it is has been passed over
        self._now = 0.0  # in virtual time
        self._moment = 0
        self._owners: dict[str, _Owner] = {}  # with tickets waiting
        self._idle: dict[str, _Owner] = {}  # with none waiting; kept for what they may still owe
        self._served: dict[str, int] = {}  # the moment of each group's last service

    def __bool__(self) -> bool:
        return bool(self._owners)

    def push(self, ticket: Ticket) -> None:
        """Add a ticket; what its owner owes delays their first waiting ticket by no more than its own cost."""
        owner = self._owners.get(ticket.owner)
        if owner is None:
            self._moment += 1
            owner = self._idle.pop(ticket.owner, None) or _Owner(ticket.owner, deque(), 0.0, 0)
            owner.start = min(max(self._now, owner.end), self._now + ticket.cost)
            owner.waits_since = self._moment
            self._owners[ticket.owner] = owner
        owner.line.append(ticket)

    def pop(self, blocked: Collection[str] = ()) -> Ticket | None:
        """Remove and return the next ticket, skipping ``blocked`` owners; return None if none is left."""
        eligible = (owner for owner in self._in_order() if owner.name not in blocked)
        owner = next(eligible, None)
        if owner is None:
            return None
        preferred = None
        if owner.line[0].model != self._model and self._passed < self._patience:
            may_pass = (other for other in eligible if other.served < owner.waits_since)
            preferred = next((other for other in may_pass if other.line[0].model == self._model), None)
        self._passed = 0 if preferred is None else self._passed + 1
        return self._serve(preferred or owner)

    def remove(self, job_id: str) -> None:
        """Remove a ticket, wherever it is, if it is waiting."""
        ticket = next((ticket for ticket in self._tickets() if ticket.job_id == job_id), None)
        if ticket is not None:
            self._owners[ticket.owner].line.remove(ticket)
            self._retire_if_idle(self._owners[ticket.owner])

    def settle(self, ticket: Ticket, cost: float) -> None:
        """Record what a served ticket has actually cost; no owner's next turn moves to before now."""
        owner = self._owners.get(ticket.owner) or self._idle.get(ticket.owner)
        if owner is not None:
            difference = cost - ticket.cost
            owner.start = max(self._now, owner.start + difference)
            owner.end = max(self._now, owner.end + difference)

    def reprice(self, cost: Callable[[Ticket], float]) -> None:
        """Update the expected cost of every waiting ticket."""
        for owner in self._owners.values():
            owner.line = deque(replace(ticket, cost=cost(ticket)) for ticket in owner.line)

    def copy(self) -> "FairQueue":
        """Return a copy to simulate with."""
        copied = copy(self)
        copied._owners = {name: owner.copy() for name, owner in self._owners.items()}
        copied._idle = {name: owner.copy() for name, owner in self._idle.items()}
        copied._served = dict(self._served)
        return copied

    def _in_order(self) -> Iterator[_Owner]:
        """Yield the waiting owners in the order of their turns; lazily, since usually only the first is needed."""
        waiting = sorted(self._owners.values(), key=lambda owner: owner.waits_since)
        while waiting:
            first = min(waiting, key=lambda owner: owner.start)
            alike = [owner for owner in waiting if owner is first or _ties_with(owner, first)]
            of_group: dict[str, _Owner] = {}
            for owner in alike:
                if not _passes_twice(owner, waiting):
                    of_group.setdefault(owner.line[0].group, owner)
            next_one = min(of_group.values(), key=self._turn_of_group, default=alike[0])
            yield next_one
            waiting.remove(next_one)

    def _turn_of_group(self, owner: _Owner) -> tuple[int, int]:
        """Return the sort key of an owner's group: groups not served since the owner began to wait come first."""
        served = self._served.get(owner.line[0].group, 0)
        return served if served > owner.waits_since else 0, owner.waits_since

    def _tickets(self) -> Iterator[Ticket]:
        for owner in self._owners.values():
            yield from owner.line

    def _serve(self, owner: _Owner) -> Ticket:
        """Serve an owner's next ticket and charge for it."""
        ticket = owner.line.popleft()
        self._model = ticket.model
        self._now = max(self._now, min(each.start for each in self._owners.values()))
        self._moment += 1
        owner.start = owner.end = owner.start + ticket.cost
        owner.waits_since = owner.served = self._served[ticket.group] = self._moment
        self._retire_if_idle(owner)
        return ticket

    def _retire_if_idle(self, owner: _Owner) -> None:
        """Remember the debt of an owner with no tickets left; now and then, forget entries that no longer matter."""
        if not owner.line:
            self._idle[owner.name] = self._owners.pop(owner.name)
        many = 2 * len(self._owners) + 16
        if len(self._idle) > many:
            self._idle = {name: each for name, each in self._idle.items() if each.end > self._now}
        if len(self._served) > many:
            groups = {ticket.group for ticket in self._tickets()}
            self._served = {group: moment for group, moment in self._served.items() if group in groups}


def blocked_owners(running: Counter[str], max_running_per_owner: int | None) -> set[str]:
    """Return the owners who have as many jobs running as one owner may have."""
    if max_running_per_owner is None:
        return set()
    return {owner for owner, count in running.items() if count >= max_running_per_owner}
