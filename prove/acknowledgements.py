"""Ten thousand commands at 25 a second, and bursts of 200, acknowledged while pictures are generated.

    python -m prove.acknowledgements

Ten rounds of 1,000 commands and one burst, each with a fresh bot; finished ones are not repeated. Every fifth command
requests a picture, the others are quick ones. The engine is scripted, with four busy slots; everything else is real,
the database with its commits included. The times are measured by the stand-in, from sending the interaction to
receiving the answer. Discord allows 3 s. On a shared machine the times also reflect how busy it was; the CPU seconds
that the bot takes for a burst do not depend on that.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.client import Interaction
from prove import KEPT
from prove.page import say_broken, write_line
from prove.place import Place, open_place, small_picture
from prove.rounds import Rounds

ROUNDS, COMMANDS, PER_SECOND, BURST = 10, 1000, 25.0, 200
P99_SECONDS, BURST_SECONDS = 1.0, 2.5
PICTURE_EVERY, BUSY_STEPS, SETTLE_SECONDS = 5, 30, 600.0
QUICK = ("queue", "help", "preferences show", "queue")


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this fraction of the values does not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


async def storm(place: Place, commands: int, per_second: float) -> list[Interaction]:
    """Send commands at a steady rate, whether or not they are answered; return how each was answered."""
    clock = asyncio.get_running_loop().time
    began = clock()

    async def one(number: int) -> Interaction:
        if number % PICTURE_EVERY == 0:
            return await place.ask_in_turn(number, steps=BUSY_STEPS)
        return await place.client.command(QUICK[number % len(QUICK)], member=place.members[number % len(place.members)])

    sent: list[asyncio.Task[Interaction]] = []
    for number in range(commands):
        await asyncio.sleep(max(0.0, began + number / per_second - clock()))
        sent.append(asyncio.create_task(one(number)))
    return await asyncio.gather(*sent)


async def burst(place: Place, commands: int) -> list[Interaction]:
    """Send picture requests all at the same moment; return how each was answered."""
    where = {"members": place.members, "channels": place.channels}
    asked = {"image": small_picture(), "prompt": "a lighthouse", "steps": 2}
    answered = await place.client.burst("img2img", asked, times=commands, **where)
    for interaction in answered:
        place.account.take(interaction)
    return answered


async def one_round(data_dir: Path, *, commands: int, per_second: float, in_burst: int) -> dict[str, Any]:
    """Send both kinds to one bot; return the seconds until each answer, None where there was none."""
    async with open_place(data_dir, members=20, channels=20, engine="create_wide_engine") as place:
        for number in range(8):  # a queue, so that the executor is busy from the start
            await place.ask_in_turn(number, steps=BUSY_STEPS)
        stormed = await storm(place, commands, per_second)
        before = place.processor_seconds()
        at_once = await burst(place, in_burst)
        computed = place.processor_seconds() - before
        await place.settled(SETTLE_SECONDS)
        return place.account.counts() | {
            "storm": [interaction.acknowledged_after_seconds for interaction in stormed],
            "burst": [interaction.acknowledged_after_seconds for interaction in at_once],
            "burst computed": computed,
            "load": os.getloadavg()[0],
        }


def broken_promises(rounds: Sequence[dict[str, Any]], *, timed: bool = True) -> list[str]:
    """Return the promises that were not kept."""
    storms = [seconds for each in rounds for seconds in each["storm"]]
    bursts = [each["burst"] for each in rounds]
    everything = [*storms, *(seconds for each in bursts for seconds in each)]
    promises = {
        "every command is acknowledged": None not in everything,
        "every request that was taken is delivered": all(each["lost"] == 0 for each in rounds),
        "nothing is shown twice": all(each["shown twice"] == 0 for each in rounds),
        "nobody is refused": all(each["refused"] == 0 for each in rounds),
    }
    if timed:
        known = [seconds if seconds is not None else 3.0 for seconds in storms]
        promises["p99 below 1 s"] = percentile(known, 0.99) < P99_SECONDS
        promises["bursts within 2.5 s"] = all(None not in each and max(each) <= BURST_SECONDS for each in bursts)
    return [promise for promise, kept in promises.items() if not kept]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the missing rounds and write the lines; return 0 if every promise is kept."""
    argparse.ArgumentParser(prog="python -m prove.acknowledgements").parse_args(arguments)
    rounds = Rounds("acknowledgements")
    while len(rounds) < ROUNDS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(one_round(Path(folder), commands=COMMANDS, per_second=PER_SECOND, in_burst=BURST))
        rounds.add(**outcome)
        storm_seconds = [seconds or 3.0 for seconds in outcome["storm"]]
        shown = {name: value for name, value in outcome.items() if name not in ("storm", "burst")}
        print(
            f"round {len(rounds)}: p99 {percentile(storm_seconds, 0.99):.3f} s,"
            f" burst {max(seconds or 3.0 for seconds in outcome['burst']):.3f} s, {shown}",
            flush=True,
        )
    done = rounds.all
    if broken := broken_promises(done):
        return say_broken(broken)
    load = f"load average {min(each['load'] for each in done):.0f} to {max(each['load'] for each in done):.0f}"
    storms = [seconds for each in done for seconds in each["storm"]]
    missed = storms.count(None)
    known = [seconds if seconds is not None else 3.0 for seconds in storms]
    write_line(
        "10,000 commands at 25 a second are acknowledged during generation, p99 below 1 s",
        f"{len(storms) - missed:,} of {len(storms):,}; median {percentile(known, 0.5) * 1000:.0f} ms,"
        f" p99 {percentile(known, 0.99) * 1000:.0f} ms, slowest {max(known):.2f} s; {load}",
        "python -m prove.acknowledgements",
    )
    slowest = [max(seconds if seconds is not None else 3.0 for seconds in each["burst"]) for each in done]
    lost = sum(each["burst"].count(None) for each in done)
    write_line(
        "All of 200 simultaneous requests are acknowledged within 2.5 s",
        f"{len(done)} bursts, {lost} not acknowledged; slowest answers after {min(slowest):.2f} to"
        f" {max(slowest):.2f} s; at most {max(each['burst computed'] for each in done):.2f} s of CPU time of the bot"
        f" per burst; {load}",
        "python -m prove.acknowledgements",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
