"""SIGTERM under load, fifty times: the bot is gone within 30 seconds, and nothing is lost.

    python -m prove.terminations

The crowd sends requests all the time; the bot is told to stop at random moments, one time in five while Discord has
stopped answering. The pictures take longer than the time available: running jobs are kept. The engine is scripted.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from playground.client import PlaygroundServer
from prove import KEPT
from prove.page import say_broken, write_line
from prove.restarts import ROOM, Crowd, judge
from prove.rounds import Rounds
from tests.end_to_end.bot_process import BotProcess

TERMINATIONS, TERMINATIONS_A_ROUND, JOBS_A_ROUND = 50, 10, 60
LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one round."""

    seconds: list[float]  # from each SIGTERM to the exit of the process
    statuses: list[int]
    jobs: int
    lost: int
    shown_twice: int
    stuck: int
    is_sound: bool

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        is_orderly = set(self.statuses) <= {0, 1}  # 1: it exited by force, because Discord did not let it say goodbye
        is_whole = self.lost == self.shown_twice == self.stuck == 0 and self.is_sound
        return is_orderly and is_whole and max(self.seconds) < LIMIT_SECONDS


async def play(folder: Path, *, terminations: int, jobs: int, seed: int) -> Outcome:
    """Stop the bot again and again while a crowd sends requests; see what became of at least ``jobs`` of them."""
    chance = random.Random(seed)
    seconds: list[float] = []
    statuses: list[int] = []
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        settings = {**ROOM, "SHUTDOWN_QUEUE": chance.choice(("keep", "drain"))}
        bot = BotProcess(server, folder, settings, arguments=("prove.mortal_bot", "--quick"))
        await server.client.set_rate_limit("", limit=1000, per_seconds=1.0)
        crowd = Crowd(server.client, chance)
        for termination in range(1, terminations + 1):
            await bot.start()
            while crowd.size < jobs * termination // terminations:
                await crowd.ask()
            await asyncio.sleep(chance.uniform(0.0, 2.0))  # randomness is the point here
            if chance.random() < 0.2:
                await server.client.add_fault(r"/channels/", action="hang", times=None)
            began = time.monotonic()
            statuses.append(await bot.terminate())
            seconds.append(round(time.monotonic() - began, 2))
            await server.client.clear_faults()
        await bot.start()
        while len(acknowledged := await crowd.acknowledged()) < jobs:
            await crowd.ask()
        outcome = await judge(bot, acknowledged)
        return Outcome(seconds=seconds, statuses=statuses, jobs=len(acknowledged), **outcome)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the missing rounds; return 0 if the bot was always gone in time and nothing was lost."""
    argparse.ArgumentParser(prog="python -m prove.terminations").parse_args(arguments)
    rounds = Rounds("terminations")
    while sum(len(each["seconds"]) for each in rounds.all) < TERMINATIONS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(
                play(Path(folder), terminations=TERMINATIONS_A_ROUND, jobs=JOBS_A_ROUND, seed=len(rounds))
            )
        rounds.add(**asdict(outcome))
        print(outcome, file=sys.stderr, flush=True)
    outcomes = [Outcome(**each) for each in rounds.all]
    if broken := [outcome for outcome in outcomes if not outcome.is_kept]:
        return say_broken(broken)
    seconds = sorted(second for outcome in outcomes for second in outcome.seconds)
    write_line(
        "After SIGTERM under load the bot ends within 30 s, and no job is lost or shown twice",
        f"{len(seconds)} times, {sum(outcome.jobs for outcome in outcomes)} jobs: 0 lost, 0 shown twice;"
        f" ended after {seconds[len(seconds) // 2]:.1f} s (median), at most {seconds[-1]:.1f} s",
        "python -m prove.terminations",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
