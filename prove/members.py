"""Members who do at random whatever they can, while the bot is killed, told to stop, shut out and let in again.

    python -m prove.members

Promised, and counted here: whatever they do, each request comes to exactly one end, its status message says which, no
result is shown twice or after it was cancelled, and no unexpected error occurs. The engine is scripted. What could not
be said while the bot was shut out is said after the next start, so the round ends with one.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from playground.client import Message, PlaygroundServer
from prove import KEPT
from prove.mischief import Mischief
from prove.page import say_broken, write_line
from prove.restarts import MEMBERS, ROOM, STUCK_SECONDS
from prove.rounds import Rounds
from tests.end_to_end.bot_process import BotProcess

ROUNDS, WILD_SECONDS = 12, 60.0
# How a status message begins once its job has ended this way; a mention of the member may come first.
_ENDS = {"delivered": ("✅", "🗑️"), "failed": ("⚠️",), "expired": ("⚠️",), "cancelled": ("🚫",)}
_OPEN = ("📥", "🕐", "🎨", "📤", "⏸️", "💤")
_RESULT = re.compile(r"palimpsest-([0-9A-Z]{20})")
_BREAKS = re.compile(r"(?:ERROR|CRITICAL) .*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one round; ``wrong`` is promised to be empty."""

    acts: int
    deaths: int
    requests: int
    wrong: list[str]

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.wrong


async def play(folder: Path, *, seed: int, wild_seconds: float) -> Outcome:
    """Let members loose for a while, then check every message and row."""
    chance = random.Random(seed)
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        client = server.client
        settings = ROOM | {"STATUS_INTERVAL_SECONDS": "0.5", "SHUTDOWN_GRACE_SECONDS": "1"}
        bot = BotProcess(server, folder, settings, arguments=("prove.mortal_bot", "--quick"))
        await client.set_rate_limit("", limit=1000, per_seconds=1.0)
        mischief = Mischief(client, chance)
        await mischief.set_up()
        await bot.start()
        wild = [asyncio.create_task(mischief.go_on(member)) for member in MEMBERS]
        deaths, ends_at = 0, time.monotonic() + wild_seconds
        while (seconds := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(seconds, chance.uniform(3, 15)))
            await (bot.kill() if chance.random() < 0.6 else bot.terminate())
            deaths += 1
            await bot.launch()
        for task in wild:
            task.cancel()
        for end in await asyncio.gather(*wild, return_exceptions=True):
            if isinstance(end, Exception):
                raise end
        await client.clear_faults()
        await mischief.open_again()
        await bot.kill()
        await bot.start()
        await _until_all_is_over(bot)
        assert await bot.terminate() == 0, bot.log
        await bot.start()
        wrong = await _wrong(bot, mischief)
        requests = len(bot.rows("SELECT 1 FROM jobs"))
        await bot.kill()
        return Outcome(acts=mischief.done, deaths=deaths + 2, requests=requests, wrong=wrong)


async def _until_all_is_over(bot: BotProcess) -> None:
    async with asyncio.timeout(10 * STUCK_SECONDS):
        await bot.until(lambda: not bot.rows("SELECT 1 FROM jobs WHERE settled_at IS NULL"))


async def _wrong(bot: BotProcess, mischief: Mischief) -> list[str]:
    """Return what stays wrong: a bot that has just started gets time to say what it still has to."""
    found: list[str] = []
    for _ in range(round(STUCK_SECONDS)):
        found = wrong_of(await mischief.messages(), _rows(bot))
        if not found:
            break
        await asyncio.sleep(1)
    return [*found, *_BREAKS.findall(bot.log)]


@dataclass(frozen=True, slots=True)
class Row:
    """What the bot's database says about a request."""

    job_id: str
    state: str
    status_message_id: int | None
    result_message_id: int | None
    is_forgotten: bool


def _rows(bot: BotProcess) -> list[Row]:
    statement = "SELECT job_id, state, status_message_id, result_message_id, prompt = '' FROM jobs"
    return [
        Row(job_id, state, status_message_id, result_message_id, bool(is_forgotten))
        for job_id, state, status_message_id, result_message_id, is_forgotten in bot.rows(statement)
    ]


def wrong_of(messages: Sequence[Message], rows: Sequence[Row]) -> list[str]:
    """Compare every message of the bot with its database; return what does not match."""
    texts = {message.id: re.sub(r"^<@\d+> ", "", message.content) for message in messages}
    results = [found[1] for message in messages if message.attachments and (found := _RESULT.search(_name(message)))]
    wrong = [f"stuck: {text.splitlines()[0]}" for text in texts.values() if text.startswith(_OPEN)]
    wrong += [f"shown twice: {job_id}" for job_id, times in Counter(results).items() if times > 1]
    for row in rows:
        if row.is_forgotten:
            continue
        if row.state != "delivered" and row.job_id in results:
            wrong.append(f"shown although {row.state}: {row.job_id}")
        text = texts.get(str(row.status_message_id))
        if text is None:  # deleted by a moderator
            continue
        if not text.startswith(_ENDS.get(row.state, ())):
            wrong.append(f"{row.state}, but the status message says: {text.splitlines()[0]}")
        elif row.state == "delivered" and text.startswith("✅") is (row.result_message_id is None):
            wrong.append(f"the picture of {row.job_id} is {row.result_message_id}, but the status message says: {text}")
    return wrong


def _name(message: Message) -> str:
    return message.attachments[0].filename


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the missing rounds; return 0 if nothing was wrong after any of them."""
    argparse.ArgumentParser(prog="python -m prove.members").parse_args(arguments)
    rounds = Rounds("members")
    while True:
        outcomes = [Outcome(**each) for each in rounds.all]
        broken = [outcome for outcome in outcomes if not outcome.is_kept]
        print(f"{len(outcomes)} of {ROUNDS} rounds, {len(broken)} broken", file=sys.stderr, flush=True)
        if broken or len(outcomes) >= ROUNDS:
            break
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(play(Path(folder), seed=len(outcomes), wild_seconds=WILD_SECONDS))
        rounds.add(**asdict(outcome))
    if broken:
        return say_broken(broken)
    acts, deaths, requests = (
        sum(getattr(outcome, name) for outcome in outcomes) for name in ("acts", "deaths", "requests")
    )
    write_line(
        "When members act at random, each request ends once, and its status message says how",
        f"{acts:,} commands, button presses, replies, edits and deletions, {requests:,} requests, {deaths} ends of the"
        " bot: 0 stuck, 0 shown twice or after cancelling, 0 unexpected errors",
        "python -m prove.members",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
