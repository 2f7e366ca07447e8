"""When waiting jobs will be served, by simulating the queue and its slots."""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from generation.serving.queue import FairQueue, Ticket, blocked_owners

Seconds = Callable[[Ticket], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A waiting job's place: ``ahead`` jobs end before it begins; ``seconds`` until it ends (None if unknown)."""

    job_id: str
    ahead: int
    seconds: float | None


class _Device:
    """The running jobs, in a virtual time in which each job takes as long as it would alone.

    Virtual time runs more slowly the more jobs share the device: half as fast with two.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.ended: dict[str, float] = {}  # time of the end, by job id
        self.owners: Counter[str] = Counter()
        self._time = 0.0
        self._running: list[tuple[float, int, Ticket]] = []  # a heap, ordered by end in virtual time
        self._begun = 0

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, ticket: Ticket, seconds: float | None) -> None:
        end = math.inf if seconds is None else self._time + max(0.0, seconds)
        heapq.heappush(self._running, (end, self._begun, ticket))
        self._begun += 1
        self.owners[ticket.owner] += 1

    def end_first(self) -> None:
        """Advance time until the first job ends."""
        sharing = len(self._running)
        end, _, ticket = heapq.heappop(self._running)
        if end > self._time:
            self.now += (end - self._time) * sharing
            self._time = end
        self.ended[ticket.job_id] = self.now
        self.owners[ticket.owner] -= 1


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
    """Return the turns of all waiting jobs in the order in which they begin, if none joins and none leaves.

    ``seconds_left`` is asked about running jobs, ``seconds`` about waiting ones; both return device seconds, and jobs
    in the slots share the device evenly. A job of unknown duration keeps its slot and its share for ever; a job that
    can only be served after it has no known time either. ``afterwards`` are tickets outside the queue, each of which
    runs alone once everything before it has ended.
    """
    future = queue.copy()
    device = _Device()
    begun: list[tuple[str, int]] = []  # job id, and how many jobs had ended by then
    for ticket in running:
        device.begin(ticket, seconds_left(ticket))
    while future:
        blocked = blocked_owners(device.owners, max_running_per_owner)
        ticket = future.pop(blocked) if len(device) < max(1, slots) else None
        if ticket is None:
            device.end_first()
        else:
            begun.append((ticket.job_id, len(device.ended)))
            device.begin(ticket, seconds(ticket))
    for ticket in afterwards:
        while device:
            device.end_first()
        begun.append((ticket.job_id, len(device.ended)))
        device.begin(ticket, seconds(ticket))
    while device:
        device.end_first()
    return [Turn(job_id=job_id, ahead=ahead, seconds=_known(device.ended[job_id])) for job_id, ahead in begun]


def _known(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
