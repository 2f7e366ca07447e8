"""Who is next: first come, first served within an owner, turn and turn about between owners."""

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A waiting job, without its payload; ``owner`` and ``group`` are opaque to this package."""

    job_id: str
    owner: str
    group: str
    attempt: int = 1


@dataclass(slots=True)
class _Line:
    """One owner's tickets; ``start`` is the virtual time at which the first of them may be served."""

    start: float
    arrival: int
    tickets: deque[Ticket] = field(default_factory=deque)


class FairQueue:
    """Give every owner a turn before anybody gets another, counting the turn that somebody has just had.

    Start-time fair queuing (Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248157.248171), every job of weight one:
    an owner's next ticket starts one unit after the last, or now for a newcomer, and the smallest start is served.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._arrivals = 0
        self._lines: dict[str, _Line] = {}
        self._finished: dict[str, float] = {}

    def __len__(self) -> int:
        return sum(len(line.tickets) for line in self._lines.values())

    def __contains__(self, job_id: object) -> bool:
        return any(ticket.job_id == job_id for line in self._lines.values() for ticket in line.tickets)

    def push(self, ticket: Ticket) -> None:
        """Let a ticket wait."""
        line = self._lines.get(ticket.owner)
        if line is None:
            start = max(self._now, self._finished.get(ticket.owner, 0.0))
            line = self._lines[ticket.owner] = _Line(start, self._arrivals)
            self._arrivals += 1
        line.tickets.append(ticket)

    def pop(self) -> Ticket:
        """Take the next ticket out; raise IndexError when nobody waits."""
        if not self._lines:
            raise IndexError("the queue is empty")
        owner, line = min(self._lines.items(), key=lambda item: (item[1].start, item[1].arrival))
        self._now = line.start
        self._finished = {name: end for name, end in self._finished.items() if end > self._now}
        self._finished[owner] = line.start + 1.0
        ticket = line.tickets.popleft()
        if line.tickets:
            line.start += 1.0
            line.arrival = self._arrivals
            self._arrivals += 1
        else:
            del self._lines[owner]
        return ticket

    def remove(self, job_id: str) -> Ticket | None:
        """Take a ticket out wherever it stands; return None if it does not wait."""
        for owner, line in self._lines.items():
            for ticket in line.tickets:
                if ticket.job_id == job_id:
                    line.tickets.remove(ticket)
                    if not line.tickets:
                        del self._lines[owner]
                    return ticket
        return None

    def order(self) -> Iterator[Ticket]:
        """Yield the tickets in the order in which they would be served if nobody joined."""
        future = copy.deepcopy(self)
        while future:
            yield future.pop()

    def position(self, job_id: str) -> int | None:
        """Return how many tickets are served before this one, or None if it does not wait."""
        return next((place for place, ticket in enumerate(self.order()) if ticket.job_id == job_id), None)
