"""Ten minutes at four jobs a second in 24 channels, with rate limits like Discord's: nothing grows, nothing is lost.

    python -m prove.soak

The engine is scripted, four pictures at a time; members, messages, files, database, decoder and pipes are real. In each
channel, five messages may be sent and five edited in five seconds, as observed on Discord. Memory, descriptors and
threads of the bot's process are sampled every five seconds, leaving out the first minute.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prove import KEPT
from prove.page import say_broken, write_line
from prove.place import Place, Vitals, open_place

SECONDS, PER_SECOND, CHANNELS, STEPS = 600, 4.0, 24, 30  # 21 of 30 steps run at the default strength, 20 ms each
WARM_UP_SECONDS, SAMPLE_SECONDS, SETTLE_SECONDS = 60, 5.0, 300.0
LIMITS = (r"^POST /channels/\{channel_id\}/messages$", r"^PATCH /channels/\{channel_id\}/messages/")
LIMIT_SECONDS = 5.0
GROWTH_MEBIBYTES, DESCRIPTORS, THREADS = 24.0, 8, 1
"""How much more the last third may hold on average than the first: connections come and go, memory settles."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed."""

    counts: dict[str, int]
    rows: dict[str, int]
    too_many_requests: int
    vitals: Sequence[Vitals]


async def limit_rates(place: Place, per_seconds: float) -> None:
    """Make the stand-in refuse what Discord would refuse."""
    for pattern in LIMITS:
        await place.client.set_rate_limit(pattern, limit=5, per_seconds=per_seconds)


async def soak(
    data_dir: Path,
    *,
    jobs: int,
    per_second: float | None,
    channels: int,
    steps: int,
    sample_seconds: float,
    limit_seconds: float = LIMIT_SECONDS,
) -> Outcome:
    """Request at a steady rate (or all at once without ``per_second``); return what was observed."""
    async with open_place(data_dir, members=12, channels=channels, engine="create_wide_engine") as place:
        await limit_rates(place, limit_seconds)
        vitals: list[Vitals] = []

        async def sample() -> None:
            while True:
                vitals.append(place.vitals())
                await asyncio.sleep(sample_seconds)

        sampling = asyncio.create_task(sample())
        clock = asyncio.get_running_loop().time
        began = clock()
        sent: list[asyncio.Task[object]] = []
        for number in range(jobs):
            if per_second is not None:
                await asyncio.sleep(max(0.0, began + number / per_second - clock()))
            sent.append(asyncio.create_task(place.ask_in_turn(number, steps=steps)))
        await asyncio.gather(*sent)
        sampling.cancel()
        await place.settled(SETTLE_SECONDS)
        invalid = (await place.client.stats())["invalid_requests"]
        return Outcome(place.account.counts(), dict(place.rows()), invalid, vitals)


def growth(values: Sequence[float]) -> float:
    """Return by how much the mean of the last third exceeds that of the first."""
    third = max(1, len(values) // 3)
    return sum(values[-third:]) / third - sum(values[:third]) / third


def broken_promises(outcome: Outcome) -> list[str]:
    """Return the promises that were not kept, apart from growth."""
    counts = outcome.counts
    promises = {
        "every request is acknowledged and taken": counts["unanswered"] == 0 and counts["refused"] == 0,
        "nothing is lost": counts["lost"] == 0 and set(outcome.rows) == {"delivered"},
        "nothing is shown twice": counts["shown twice"] == 0,
        "every status message says its last word": counts["status left behind"] == 0,
    }
    return [promise for promise, kept in promises.items() if not kept]


def what_grew(vitals: Sequence[Vitals]) -> dict[str, float]:
    """Return the growth of everything that must not grow."""
    return {
        "memory": growth([each.mebibytes for each in vitals]),
        "descriptors": growth([each.descriptors for each in vitals]),
        "threads": growth([each.threads for each in vitals]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof and write its line; return 0 if every promise is kept."""
    argparse.ArgumentParser(prog="python -m prove.soak").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(
            soak(
                Path(folder),
                jobs=round(SECONDS * PER_SECOND),
                per_second=PER_SECOND,
                channels=CHANNELS,
                steps=STEPS,
                sample_seconds=SAMPLE_SECONDS,
            )
        )
    vitals = outcome.vitals[round(WARM_UP_SECONDS / SAMPLE_SECONDS) :]
    grown = what_grew(vitals)
    bounds = {"memory": GROWTH_MEBIBYTES, "descriptors": DESCRIPTORS, "threads": THREADS}
    broken = broken_promises(outcome)
    broken += [f"constant {name}" for name, most in bounds.items() if grown[name] > most]
    if broken:
        return say_broken(broken)
    counts = outcome.counts
    write_line(
        "In ten minutes at 4 jobs a second in 24 channels with Discord's rate limits nothing is lost and nothing grows",
        f"{counts['promised']:,} jobs, {counts['lost']} lost, {counts['unanswered']} not acknowledged,"
        f" {outcome.too_many_requests} answers 429; from the first third to the last memory {grown['memory']:+.1f} MiB"
        f" (of {vitals[-1].mebibytes:.0f}), descriptors {grown['descriptors']:+.1f} (of {vitals[-1].descriptors}),"
        f" threads {grown['threads']:+.1f} (of {vitals[-1].threads}); load average {os.getloadavg()[0]:.0f}",
        "python -m prove.soak",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
