"""``kill -9`` of the bot at every named moment of a job's life and at random ones, under load, each with a restart.

    python -m prove.kills

Promised, and counted here: of the jobs that were acknowledged to members, none is lost (a failure counts as lost), none
is shown twice, none is stuck, and the database is sound. The engine is scripted.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from playground.client import PlaygroundServer
from prove import KEPT
from prove.mortal_bot import MOMENTS
from prove.page import say_broken, write_line
from prove.restarts import ROOM, Crowd, judge
from prove.rounds import Rounds
from tests.end_to_end.bot_process import BotProcess

RANDOM_KILLS, JOBS = 200, 2000
KILLS_A_ROUND, JOBS_A_ROUND = 10, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the jobs of one round; the three bad counts are promised to be 0."""

    kills: int
    moments: list[str]
    jobs: int
    lost: int
    shown_twice: int
    stuck: int
    is_sound: bool

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return self.lost == self.shown_twice == self.stuck == 0 and self.is_sound


async def play(folder: Path, *, moments: Sequence[str], random_kills: int, jobs: int, seed: int) -> Outcome:
    """Kill the bot at each moment in turn, then at random ones; see what became of at least ``jobs`` jobs."""
    chance = random.Random(seed)
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, folder, ROOM, arguments=("prove.mortal_bot", "--quick"))
        await server.client.set_rate_limit("", limit=1000, per_seconds=1.0)
        crowd = Crowd(server.client, chance)
        await bot.start()  # registers the commands
        await bot.kill()
        for moment in moments:
            await _die_at(bot, crowd, moment)
        for kill in range(1, random_kills + 1):
            while crowd.size < jobs * kill // random_kills:
                await crowd.ask()
            await _die_at_random(bot, crowd, chance)
        await bot.start()
        while len(acknowledged := await crowd.acknowledged()) < jobs:
            await crowd.ask()
        outcome = await judge(bot, acknowledged)
        return Outcome(kills=len(moments) + random_kills, moments=list(moments), jobs=len(acknowledged), **outcome)


async def _die_at(bot: BotProcess, crowd: Crowd, moment: str) -> None:
    """Let the bot live until the moment comes, for an open job or a new one."""
    await bot.launch("--die-at", moment)
    if await bot.becomes_ready():
        await crowd.ask()
    status = await bot.ended()
    assert status == -signal.SIGKILL, f"{moment}: the bot ended with {status}\n{bot.log}"
    await bot.kill()


async def _die_at_random(bot: BotProcess, crowd: Crowd, chance: random.Random) -> None:
    """Let the bot live for a while, which may or may not include its startup."""
    await bot.launch()
    if chance.random() < 0.8:
        await bot.becomes_ready()
    await crowd.ask()
    await asyncio.sleep(chance.uniform(0.0, 2.0))  # randomness is the point here
    await bot.kill()


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the missing rounds; return 0 if nothing was lost, shown twice, stuck or damaged."""
    argparse.ArgumentParser(prog="python -m prove.kills").parse_args(arguments)
    rounds = Rounds("kills")
    while True:
        outcomes = [Outcome(**each) for each in rounds.all]
        kills = sum(outcome.kills - len(outcome.moments) for outcome in outcomes)
        jobs = sum(outcome.jobs for outcome in outcomes)
        broken = [outcome for outcome in outcomes if not outcome.is_kept]
        print(f"{kills} random kills, {jobs} jobs, {len(broken)} rounds broken", file=sys.stderr, flush=True)
        if broken or (kills >= RANDOM_KILLS and jobs >= JOBS):
            break
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(
                play(
                    Path(folder),
                    moments=() if outcomes else list(MOMENTS),
                    random_kills=KILLS_A_ROUND if outcomes else 0,
                    jobs=JOBS_A_ROUND if outcomes else len(MOMENTS),
                    seed=len(outcomes),
                )
            )
        rounds.add(**asdict(outcome))
    if broken:
        return say_broken(broken)
    write_line(
        "After `kill -9` of the bot no job is lost, shown twice or stuck, and the database is sound",
        f"at {len(MOMENTS)} named moments and {kills} random ones, {jobs:,} jobs: 0 lost, 0 shown twice, 0 stuck",
        "python -m prove.kills",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
