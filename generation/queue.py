"""Who is next: first come, first served within an owner, fair by cost between owners, no crowd before a lone one."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A waiting job, without its payload; ``owner`` and ``group`` are opaque to this package.

    ``cost`` is what the job takes from the others, in a unit of the caller's choice that is the same for all tickets.
    ``model`` is what has to be in memory for it. ``runs_alone`` marks a job that may take everything down with it: it
    is no matter of this queue.
    """

    job_id: str
    owner: str
    group: str
    model: str = ""
    attempt: int = 1
    cost: float = 1.0
    runs_alone: bool = False


_ALIKE = 0.5  # of a service: starts that are nearer to each other count as one


@dataclass(slots=True)
class _Turns:
    """Start-time fair queuing between the keys of one level.

    A key's next service starts, in virtual time, where its last one ended, or now for a newcomer. Of the smallest
    start and those that are less than half a service behind it, who has waited longest is served: measurements of
    like services differ, and nobody is to be passed twice for that. ``ends`` remembers the last service of those who
    have left, until that is in the past.
    """

    now: float = 0.0
    arrivals: int = 0
    starts: dict[str, tuple[float, int]] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)

    def join(self, key: str, cost: float) -> None:
        """Let a key wait from now on; what it owes delays it by no more than ``cost``, what its next service takes."""
        if key not in self.starts:
            self._place(key, min(max(self.now, self.ends.get(key, 0.0)), self.now + cost))

    def leave(self, key: str) -> None:
        self.starts.pop(key, None)

    def in_order(self, cost_of: Callable[[str], float]) -> Iterator[str]:
        """Yield the keys in the order of their turns, each of which would cost what ``cost_of`` says.

        Mostly the first is all that is asked for, so it comes cheap.
        """
        waiting = dict(self.starts)
        while waiting:
            first = min(waiting, key=waiting.__getitem__)
            latest = waiting[first][0] + _ALIKE * cost_of(first)
            near = (key for key, (start, _) in waiting.items() if start < latest or key == first)
            longest = min(near, key=lambda key: waiting[key][1])
            yield longest
            del waiting[longest]

    def serve(self, key: str, cost: float) -> None:
        """Let a key have its turn, and charge it."""
        start, _ = self.starts[key]
        self.now = max(self.now, min(self.starts.values())[0])
        self.ends[key] = start + cost
        if len(self.ends) > 2 * len(self.starts) + 16:  # now and then, for each time looks at all of them
            self.ends = {name: end for name, end in self.ends.items() if end > self.now}
        self._place(key, start + cost)

    def owes(self, key: str) -> bool:
        """Tell whether a key's last service is not in the past yet."""
        return self.ends.get(key, 0.0) > self.now

    def charge(self, key: str, cost: float) -> None:
        """Charge a waiting key for what it was given elsewhere."""
        if key in self.starts:
            self._place(key, self.starts[key][0] + cost)
            self.ends[key] = self.starts[key][0]

    def correct(self, key: str, difference: float) -> None:
        """Charge a key more, or less, for what it has had; nobody's turn comes before now."""
        if key in self.starts:
            start, arrival = self.starts[key]
            self.starts[key] = (max(self.now, start + difference), arrival)
        if key in self.ends:
            self.ends[key] = max(self.now, self.ends[key] + difference)

    def copy(self) -> "_Turns":
        return _Turns(self.now, self.arrivals, dict(self.starts), dict(self.ends))

    def _place(self, key: str, start: float) -> None:
        self.starts[key] = (start, self.arrivals)
        self.arrivals += 1


class _Group:
    """The owners of one group and their tickets."""

    def __init__(self) -> None:
        self.turns = _Turns()
        self.lines: dict[str, deque[Ticket]] = {}

    @property
    def cost(self) -> float:
        """What the group is charged for its next turn, about: owners share their group's turns."""
        return max(line[0].cost for line in self.lines.values()) / len(self.lines)

    def owners(self) -> Iterator[str]:
        """Yield its owners in the order of their turns."""
        return self.turns.in_order(lambda owner: self.lines[owner][0].cost)

    def take(self, owner: str, ticket: Ticket) -> None:
        """Take a ticket out of its line."""
        self.lines[owner].remove(ticket)
        if not self.lines[owner]:
            del self.lines[owner]
            self.turns.leave(owner)

    def copy(self) -> "_Group":
        copied = _Group()
        copied.turns = self.turns.copy()
        copied.lines = {owner: deque(line) for owner, line in self.lines.items()}
        return copied


class FairQueue:
    """Give every owner the same share of what is served, counted in cost, and nobody two turns before a newcomer's one.

    Start-time fair queuing (Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248157.248171) on two levels, groups and
    the owners within. It serves the shares that deficit round-robin (Shreedhar, Varghese 1995,
    https://doi.org/10.1145/217391.217453) serves and needs no quantum to be chosen: where a round has to be as long as
    the dearest job, a newcomer's start is simply now, so it waits for what runs and not for a round.

    A group counts as many times as it has owners who wait, so in the long run an owner's share is the same in a crowd
    and alone (a direct message is no way around the others). What the level of groups adds is order: one owner of a
    small group does not wait for a whole crowd that came a moment earlier. An owner who waits in several groups is
    charged in all of them for each job, and so has one share.

    A ticket is charged with its cost when it is served, for others are served while it runs; ``settle`` corrects that
    by what it took, so that in the end shares are of what was measured, however wrong the estimates were. Only whoever
    had nothing waiting is not held to more than one job's cost: what measurements of like jobs differ by must not add
    up until one of a crowd's jobs before theirs has become two.

    Changing the model takes long, and all wait for it. So whoever wants the model of the last service goes before one
    who is due and wants another; that one is passed over at most ``patience`` times, and the shares stay what they are.
    """

    def __init__(self, patience: int = 4) -> None:
        self._patience = patience
        self._model = ""  # of the last service
        self._passed = 0  # how many times whoever is due has been passed over for it
        self._turns = _Turns()
        self._groups: dict[str, _Group] = {}
        self._groups_of: dict[str, set[str]] = {}  # where an owner waits
        self._weights: dict[str, int] = {}  # how many times its group counted when a job that runs was served

    def __len__(self) -> int:
        return sum(len(line) for group in self._groups.values() for line in group.lines.values())

    def __bool__(self) -> bool:
        return bool(self._turns.starts)

    def __contains__(self, job_id: object) -> bool:
        return any(ticket.job_id == job_id for ticket in self._tickets())

    def push(self, ticket: Ticket) -> None:
        """Let a ticket wait."""
        group = self._groups.get(ticket.group)
        if group is None or not self._is_remembered(ticket.group, group):
            group = self._groups[ticket.group] = _Group()
        self._turns.join(ticket.group, ticket.cost)
        group.turns.join(ticket.owner, ticket.cost)
        group.lines.setdefault(ticket.owner, deque()).append(ticket)
        self._groups_of.setdefault(ticket.owner, set()).add(ticket.group)
        if len(self._groups) > 2 * len(self._turns.starts) + 16:
            self._groups = {name: each for name, each in self._groups.items() if self._is_remembered(name, each)}

    def pop(self) -> Ticket:
        """Take the next ticket out; raise IndexError when nobody waits."""
        ticket = self.pop_unless(())
        if ticket is None:
            raise IndexError("the queue is empty")
        return ticket

    def pop_unless(self, blocked: Collection[str]) -> Ticket | None:
        """Take the next ticket out, passing over owners who are ``blocked``; return None if that leaves nobody."""
        eligible = (ticket for ticket in self._firsts() if ticket.owner not in blocked)
        ticket = next(eligible, None)
        if ticket is None:
            return None
        preferred = None
        if ticket.model != self._model and self._passed < self._patience:
            preferred = next((other for other in eligible if other.model == self._model), None)
        self._passed = 0 if preferred is None else self._passed + 1
        ticket = preferred or ticket
        self._model = ticket.model
        self._serve(ticket)
        return ticket

    def remove(self, job_id: str) -> Ticket | None:
        """Take a ticket out wherever it stands; return None if it does not wait."""
        ticket = next((ticket for ticket in self._tickets() if ticket.job_id == job_id), None)
        if ticket is not None:
            self._take(ticket)
        return ticket

    def settle(self, ticket: Ticket, cost: float) -> None:
        """Note what a served ticket has cost in the end."""
        difference = cost - ticket.cost
        self._turns.correct(ticket.group, difference / self._weights.pop(ticket.job_id, 1))
        for group in self._groups.values():
            group.turns.correct(ticket.owner, difference)

    def reprice(self, cost: Callable[[Ticket], float]) -> None:
        """Give every ticket that waits the cost that is expected of it now."""
        for group in self._groups.values():
            for owner, line in group.lines.items():
                group.lines[owner] = deque(replace(ticket, cost=cost(ticket)) for ticket in line)

    def copy(self) -> "FairQueue":
        """Return a queue in the same state, to be served in thought."""
        copied = FairQueue(self._patience)
        copied._model, copied._passed = self._model, self._passed
        copied._turns = self._turns.copy()
        copied._groups = {name: group.copy() for name, group in self._groups.items()}
        copied._groups_of = {owner: set(names) for owner, names in self._groups_of.items()}
        return copied

    def order(self) -> Iterator[Ticket]:
        """Yield the tickets in the order in which they would be served if nobody joined and nobody was blocked."""
        future = self.copy()
        while future:
            yield future.pop()

    def position(self, job_id: str) -> int | None:
        """Return how many tickets are served before this one, or None if it does not wait."""
        return next((place for place, ticket in enumerate(self.order()) if ticket.job_id == job_id), None)

    def _is_remembered(self, name: str, group: _Group) -> bool:
        """Tell whether a group matters: what an idle one's owners owe is forgotten with the group's own debt."""
        return bool(group.lines) or self._turns.owes(name)

    def _firsts(self) -> Iterator[Ticket]:
        """Yield the first ticket of each owner's line, in the order of their turns."""
        groups = self._groups
        for name in self._turns.in_order(lambda name: groups[name].cost):
            for owner in groups[name].owners():
                yield groups[name].lines[owner][0]

    def _tickets(self) -> Iterator[Ticket]:
        for group in self._groups.values():
            for line in group.lines.values():
                yield from line

    def _serve(self, ticket: Ticket) -> None:
        group = self._groups[ticket.group]
        self._weights[ticket.job_id] = len(group.lines)
        self._turns.serve(ticket.group, ticket.cost / len(group.lines))
        group.turns.serve(ticket.owner, ticket.cost)
        for name in self._groups_of[ticket.owner]:
            if name != ticket.group:
                self._groups[name].turns.charge(ticket.owner, ticket.cost)
        self._take(ticket)

    def _take(self, ticket: Ticket) -> None:
        group = self._groups[ticket.group]
        group.take(ticket.owner, ticket)
        if ticket.owner not in group.lines:
            self._groups_of[ticket.owner].discard(ticket.group)
            if not self._groups_of[ticket.owner]:
                del self._groups_of[ticket.owner]
        if not group.lines:
            self._turns.leave(ticket.group)
