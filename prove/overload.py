"""Ten times as many requests as can be served: the queue stays within its bound, and the rest is refused politely.

    python -m prove.overload

Five minutes. The engine is scripted and generates one picture a second, while ten are requested; the bounds are the
bot's defaults, except the one per member. In the end everything that was promised is delivered, and new requests are
accepted again.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.client import Interaction
from prove import KEPT
from prove.page import say_broken, write_line
from prove.place import Account, Vitals, open_place
from tests.end_to_end.test_monitoring import figures

SECONDS, PER_SECOND, STEPS = 300, 10.0, 71  # 50 of 71 steps run at the default strength, 20 ms each
WARM_UP_SECONDS, SAMPLE_SECONDS, SETTLE_SECONDS = 60, 5, 900.0
MAX_WAITING = 50
GROWTH_MEBIBYTES = 32
SETTINGS = {"MAX_WAITING": "100", "MAX_WAITING_PER_SERVER": str(MAX_WAITING), "MAX_WAITING_PER_MEMBER": "1000"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed."""

    counts: dict[str, int]
    refusals: Counter[str]
    longest_queue: int
    memory: Sequence[Vitals]
    is_taken_again: bool


async def overload(
    data_dir: Path, *, requests: int, per_second: float | None, steps: int, max_waiting: int, sample_seconds: float
) -> Outcome:
    """Request too much, at a steady rate (or all at once without ``per_second``), then wait for what was promised."""
    settings = SETTINGS | {"MAX_WAITING_PER_SERVER": str(max_waiting)}
    async with open_place(data_dir, members=20, channels=20, settings=settings) as place:
        memory: list[Vitals] = []
        longest = 0

        async def sample() -> None:
            nonlocal longest
            while True:
                memory.append(place.vitals())
                seen = await figures(place.bot)
                longest = max(
                    longest,
                    int(seen["palimpsest_queue_jobs{waiting}"] + seen["palimpsest_queue_jobs{running}"]),
                )
                await asyncio.sleep(sample_seconds)

        sampling = asyncio.create_task(sample())
        clock = asyncio.get_running_loop().time
        began = clock()
        sent: list[asyncio.Task[Interaction]] = []
        for number in range(requests):
            if per_second is not None:
                await asyncio.sleep(max(0.0, began + number / per_second - clock()))
            sent.append(asyncio.create_task(place.ask_in_turn(number, steps=steps)))
        await asyncio.gather(*sent)
        await place.settled(SETTLE_SECONDS)
        sampling.cancel()
        account, place.account = place.account, Account()
        await place.ask_in_turn(0, steps=2)
        await place.settled(SETTLE_SECONDS)
        again = place.account.counts()
        return Outcome(account.counts(), Counter(account.refused), longest, memory, again["delivered"] == 1)


def growth_mebibytes(memory: Sequence[Vitals], warm_up_samples: int) -> float:
    """Return by how much the mean of the second half exceeds that of the first, after the warm-up."""
    samples = [each.mebibytes for each in memory[warm_up_samples:]]
    half = len(samples) // 2
    return sum(samples[half:]) / max(1, len(samples) - half) - sum(samples[:half]) / max(1, half)


def broken_promises(outcome: Outcome, *, max_waiting: int) -> list[str]:
    """Return the promises that were not kept."""
    sentences = set(outcome.refusals)
    promises = {
        "everybody is answered": outcome.counts["unanswered"] == 0,
        "the queue stays within its bound": outcome.longest_queue <= max_waiting,
        "most are refused, with a sentence that says why": bool(sentences)
        and all("already" in sentence and "queue" in sentence for sentence in sentences),
        "what was promised is delivered": outcome.counts["lost"] == 0 and outcome.counts["shown twice"] == 0,
        "requests are taken again afterwards": outcome.is_taken_again,
    }
    return [promise for promise, kept in promises.items() if not kept]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof and write its line; return 0 if every promise is kept."""
    argparse.ArgumentParser(prog="python -m prove.overload").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(
            overload(
                Path(folder),
                requests=round(SECONDS * PER_SECOND),
                per_second=PER_SECOND,
                steps=STEPS,
                max_waiting=MAX_WAITING,
                sample_seconds=SAMPLE_SECONDS,
            )
        )
    growth = growth_mebibytes(outcome.memory, WARM_UP_SECONDS // SAMPLE_SECONDS)
    broken = broken_promises(outcome, max_waiting=MAX_WAITING)
    if growth > GROWTH_MEBIBYTES:
        broken.append("memory is flat")
    if broken:
        return say_broken(broken)
    counts = outcome.counts
    write_line(
        "Five minutes of tenfold overload are refused politely, with flat memory",
        f"{counts['promised'] + counts['refused'] + counts['unanswered']:,} requests: {counts['delivered']:,} accepted"
        f" and delivered, {counts['lost']} lost, {counts['refused']:,} refused with an explanation,"
        f" {counts['unanswered']} unanswered; at most {outcome.longest_queue} of {MAX_WAITING} in the queue; memory"
        f" {outcome.memory[-1].mebibytes:.0f} MiB, {growth:+.1f} MiB between the halves;"
        f" load average {os.getloadavg()[0]:.0f}",
        "python -m prove.overload",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
