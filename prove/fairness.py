"""Members get their share: fifty jobs of one member never make another wait for more than one of them.

    python -m prove.fairness

The whole bot with a scripted engine, one picture at a time. First one member requests fifty pictures, while four others
request one each, and the next as soon as they have it: all in one server; then with the one in direct messages and the
others sharing a server; then each in direct messages of their own (to the queue, these are like another server). Then
eight members request so many short and long jobs that all of them have work waiting: Jain's fairness index (Jain, Chiu,
Hawe 1984) over the seconds that each was served in that time. The events are read from the database's rows.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prove import KEPT
from prove.page import say_broken, write_line
from prove.place import Place, open_place

CROWD, OTHERS, REQUESTS_EACH = 50, 4, 5
# The channel of the one member and that of the others; None means each one's direct messages.
PLACES: tuple[tuple[int | None, int | None], ...] = ((0, 0), (None, 0), (None, None))
MEMBERS, UNITS_EACH = 8, 12
STEPS = (60, 30, 12, 6)  # one member's jobs cost up to ten times as much as another's
MOST_BEFORE, LEAST_JAIN = 1, 0.95
SETTLE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Served:
    """One job according to its row: when it could have begun, when it did, and how long it took."""

    requester: int
    queued_at: float
    started_at: float
    seconds: float


def served(place: Place) -> list[Served]:
    """Return every delivered job in the order in which they began."""
    connection = sqlite3.connect(f"file:{place.bot.data_dir}/palimpsest.sqlite3?mode=ro", uri=True)
    with contextlib.closing(connection):
        rows = connection.execute(
            "SELECT requester_id, queued_at, started_at, seconds FROM jobs"
            " WHERE state = 'delivered' ORDER BY started_at"
        ).fetchall()
    return [Served(*row) for row in rows]


def most_before(jobs: Sequence[Served]) -> int:
    """Return the maximum number of the busiest member's jobs that began while someone else's request waited.

    A request's wait counts from when it was in the queue and its member's earlier ones had begun.
    """
    busiest, _ = Counter(job.requester for job in jobs).most_common(1)[0]
    worst = 0
    for job in jobs:
        if job.requester != busiest:
            own = [other.started_at for other in jobs if other.requester == job.requester]
            since = max(job.queued_at, *(moment for moment in own if moment < job.started_at), 0.0)
            begun = (other for other in jobs if other.requester == busiest)
            worst = max(worst, sum(since < other.started_at < job.started_at for other in begun))
    return worst


def jain_index(jobs: Sequence[Served], *, waiting_at_the_end: int = 2) -> float:
    """Return Jain's index over the seconds that members were served while each of them had jobs waiting.

    That is from when the last of them had a job in the queue until the first of them had fewer than
    ``waiting_at_the_end`` left.
    """
    members = sorted({job.requester for job in jobs})
    begins = max(min(job.queued_at for job in jobs if job.requester == member) for member in members)
    ends = min(
        sorted(job.started_at for job in jobs if job.requester == member)[-waiting_at_the_end] for member in members
    )
    seconds = [
        sum(job.seconds for job in jobs if job.requester == member and begins <= job.started_at < ends)
        for member in members
    ]
    return sum(seconds) ** 2 / (len(seconds) * sum(each**2 for each in seconds))


async def crowd(
    data_dir: Path,
    *,
    jobs: int,
    others: int,
    requests_each: int,
    steps: int,
    places: tuple[int | None, int | None] = (0, 0),
) -> list[Served]:
    """Let one member request many pictures at once, and others one after another."""
    crowded, calm = places
    async with open_place(data_dir, members=1 + others, channels=1) as place:
        await asyncio.gather(*(place.ask(0, crowded, steps=steps) for _ in range(jobs)))

        async def asks_again(member: int) -> None:
            for _ in range(requests_each):
                answered = await place.ask(member, calm, steps=steps)
                assert answered.response is not None
                await place.settled(SETTLE_SECONDS, answered.response.id)

        await asyncio.gather(*(asks_again(1 + member) for member in range(others)))
        await place.settled(SETTLE_SECONDS)
        return served(place)


async def shares(data_dir: Path, *, members: int, units_each: int, steps: Sequence[int]) -> list[Served]:
    """Let members request the same total each, some in a few expensive jobs, some in many cheap ones, all at once."""
    async with open_place(data_dir, members=members, channels=1) as place:
        for _ in range(units_each):
            for member in range(members):
                of_member = steps[member % len(steps)]
                await asyncio.gather(*(place.ask(member, steps=of_member) for _ in range(max(steps) // of_member)))
        await place.settled(SETTLE_SECONDS)
        return served(place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof and write its lines; return 0 if every promise is kept."""
    argparse.ArgumentParser(prog="python -m prove.fairness").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rounds = [
            asyncio.run(
                crowd(
                    Path(folder) / f"crowd{number}",
                    jobs=CROWD,
                    others=OTHERS,
                    requests_each=REQUESTS_EACH,
                    steps=60,
                    places=places,
                )
            )
            for number, places in enumerate(PLACES)
        ]
        shared = asyncio.run(shares(Path(folder) / "shares", members=MEMBERS, units_each=UNITS_EACH, steps=STEPS))
    worst, index = max(map(most_before, rounds)), jain_index(shared)
    promises = {"no more than one before": worst <= MOST_BEFORE, "Jain's index": index >= LEAST_JAIN}
    if broken := [promise for promise, is_kept in promises.items() if not is_kept]:
        return say_broken(broken)
    load = f"load average {os.getloadavg()[0]:.0f}"
    write_line(
        "A member with 50 jobs never makes another wait for more than one of them",
        f"at most {worst}, for {OTHERS * REQUESTS_EACH} jobs of {OTHERS} others: with all in one server, with the"
        f" others in a different server, and with each in direct messages; {load}",
        "python -m prove.fairness",
    )
    write_line(
        "Members with waiting jobs get equal shares: Jain's index at least 0.95",
        f"{index:.3f} over {MEMBERS} members and {len(shared)} jobs, some"
        f" {max(STEPS) // min(STEPS)} times as expensive as others; {load}",
        "python -m prove.fairness",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
