"""When those who wait will be served: the queue and its slots played forward in thought."""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from generation.queue import FairQueue, Ticket

Seconds = Callable[[Ticket], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A waiting job's place: ``ahead`` jobs end before it begins, ``seconds`` until it ends (None if not known)."""

    job_id: str
    ahead: int
    seconds: float | None


def forecast(
    queue: FairQueue,
    running: Iterable[Ticket],
    *,
    slots: int,
    seconds_left: Seconds,
    seconds: Seconds,
    max_running_per_owner: int | None = None,
    afterwards: Iterable[Ticket] = (),
) -> list[Turn]:
    """Return the turns of all who wait, in the order in which they begin, if nobody joins and nobody leaves.

    ``seconds_left`` is asked for what runs, ``seconds`` for what waits. A slot whose job takes nobody knows how long
    is not counted on: whoever can only be served after it has no time either. ``afterwards`` are tickets beside the
    queue, each of which runs alone when everything before it is over.
    """
    future = queue.copy()
    owners: Counter[str] = Counter()
    ends: list[tuple[float, int, str]] = []  # a heap; the number keeps equal ends in the order of their beginning

    def occupy(ticket: Ticket, end: float) -> None:
        owners[ticket.owner] += 1
        heapq.heappush(ends, (end, len(turns) + len(ends), ticket.owner))

    turns: list[Turn] = []
    now, ended = 0.0, 0
    for ticket in running:
        occupy(ticket, _or_never(seconds_left(ticket)))
    while future:
        blocked = blocked_owners(owners, max_running_per_owner)
        ticket = future.pop_unless(blocked) if len(ends) < max(1, slots) else None
        if ticket is None:
            now, _, owner = heapq.heappop(ends)
            owners[owner] -= 1
            ended += 1
            continue
        end = now + _or_never(seconds(ticket))
        occupy(ticket, end)
        turns.append(Turn(job_id=ticket.job_id, ahead=ended, seconds=None if math.isinf(end) else end))
    for ticket in afterwards:
        now = max((end for end, _, _ in ends), default=now)
        ended += len(ends)
        ends.clear()
        end = now + _or_never(seconds(ticket))
        occupy(ticket, end)
        turns.append(Turn(job_id=ticket.job_id, ahead=ended, seconds=None if math.isinf(end) else end))
    return turns


def blocked_owners(running: Counter[str], max_running_per_owner: int | None) -> set[str]:
    """Return the owners who have as many jobs running as one owner may have."""
    if max_running_per_owner is None:
        return set()
    return {owner for owner, count in running.items() if count >= max_running_per_owner}


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else max(0.0, seconds)
