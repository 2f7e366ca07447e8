"""Who is next: first come, first served within an owner, turn and turn about between owners."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A waiting job, without its payload; ``owner`` and ``group`` are opaque to this package."""

    job_id: str
    owner: str
    group: str
    attempt: int = 1


class FairQueue:
    """Give every owner with waiting jobs one turn before anybody gets a second.

    An owner who was just served goes behind the others; a newcomer goes behind those who wait already.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Ticket]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._waiting.values())

    def __contains__(self, job_id: object) -> bool:
        return any(ticket.job_id == job_id for tickets in self._waiting.values() for ticket in tickets)

    def push(self, ticket: Ticket, *, first: bool = False) -> None:
        """Let a ticket wait; with ``first`` it goes before everybody (a job whose executor was lost)."""
        tickets = self._waiting.setdefault(ticket.owner, deque())
        if first:
            tickets.appendleft(ticket)
            self._waiting.move_to_end(ticket.owner, last=False)
        else:
            tickets.append(ticket)

    def pop(self) -> Ticket:
        """Take the next ticket out; raise IndexError when nobody waits."""
        if not self._waiting:
            raise IndexError("the queue is empty")
        owner, tickets = self._waiting.popitem(last=False)
        ticket = tickets.popleft()
        if tickets:
            self._waiting[owner] = tickets
        return ticket

    def remove(self, job_id: str) -> Ticket | None:
        """Take a ticket out wherever it stands; return None if it does not wait."""
        for owner, tickets in self._waiting.items():
            for ticket in tickets:
                if ticket.job_id == job_id:
                    tickets.remove(ticket)
                    if not tickets:
                        del self._waiting[owner]
                    return ticket
        return None

    def order(self) -> Iterator[Ticket]:
        """Yield the tickets in the order in which they would be served if nobody joined."""
        rows = [deque(tickets) for tickets in self._waiting.values()]
        while rows:
            for row in rows:
                yield row.popleft()
            rows = [row for row in rows if row]

    def position(self, job_id: str) -> int | None:
        """Return how many tickets are served before this one, or None if it does not wait."""
        return next((place for place, ticket in enumerate(self.order()) if ticket.job_id == job_id), None)
