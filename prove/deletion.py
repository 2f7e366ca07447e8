"""What a member deletes is gone: not one byte of it is left in the database, its write-ahead log or the spool.

    python -m prove.deletion

The bot's own storage with thirty members, whose requests are accepted, advanced and ended in random order, with
pictures in the spool and rows that grow and shrink. Then one member after another deletes, at random moments between
the writes of others, and after each deletion every file in the data folder is searched for all of that member's
prompts.
"""

import argparse
import asyncio
import random
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bot.storage.database import DATABASE_NAME, Database
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.member_data import MemberData
from bot.storage.spool import INPUT_FILENAME, Spool
from generation.job_id import new_job_id
from prove import KEPT
from prove.page import say_broken, write_line
from prove.rounds import Rounds

ROUNDS, MEMBERS, JOBS_EACH = 10, 30, 8


class Crowd:
    """Members who write requests, and what each has written."""

    def __init__(self, folder: Path, database: Database, draw: random.Random) -> None:
        self._folder = folder
        self._draw = draw
        self._jobs, self._spool, self._data = Jobs(database), Spool(folder / "spool"), MemberData(database)
        self.words: dict[int, list[bytes]] = {member_id: [] for member_id in range(1, MEMBERS + 1)}
        self.job_ids: dict[int, list[str]] = {member_id: [] for member_id in self.words}
        self.searched_bytes = 0

    async def write(self, member_id: int) -> None:
        """Accept a request and advance it to its end."""
        word = secrets.token_hex(16)
        prompt = f"{word} " * self._draw.randint(1, 40)
        job = _job(member_id, prompt[:1500], accepted_at=time.time() - self._draw.choice((10, 100_000)))
        await self._jobs.accept(job)
        await self._spool.write(job.job_id, INPUT_FILENAME, word.encode() * 500)
        await self._jobs.enqueue(job.job_id, word * 2)
        if self._draw.random() < 0.7:
            await self._jobs.begin(job.job_id, 1)
        await self._jobs.fail(job.job_id, "internal", "", {"text": prompt})
        self.words[member_id].append(word.encode())
        self.job_ids[member_id].append(job.job_id)

    async def delete(self, member_id: int) -> int:
        """Delete everything of a member; return how many of their words can still be found."""
        for job_id in self.job_ids.pop(member_id):
            await self._spool.delete(job_id)
            await self._data.delete_requests([job_id], keep_since=time.time() - 86_400)
        words, kept = self.words.pop(member_id), await asyncio.to_thread(self._everything)
        self.searched_bytes += len(kept)
        return sum(word in kept for word in words)

    async def lost(self) -> int:
        """Return how many words of the members who deleted nothing can no longer be found."""
        kept = await asyncio.to_thread(self._everything)
        return sum(word not in kept for words in self.words.values() for word in words)

    def _everything(self) -> bytes:
        return b"\0".join(path.read_bytes() for path in sorted(self._folder.rglob("*")) if path.is_file())


def _job(member_id: int, prompt: str, *, accepted_at: float) -> Job:
    return Job(
        job_id=new_job_id(),
        requester_id=member_id,
        guild_id=1,
        channel_id=2,
        prompt=prompt,
        negative_prompt=prompt[:1000],
        strength=0.6,
        guidance_scale=4.0,
        num_inference_steps=20,
        seed=1,
        count=1,
        max_pixels=512 * 512,
        model="demo",
        max_result_bytes=1,
        sampler="ddim",
        strength_schedule="noise",
        spoiler=False,
        accepted_at=accepted_at,
        attachment_url=f"https://cdn.discordapp.com/{prompt[:32]}.png",
    )


async def prove(seed: int) -> dict[str, int]:
    """Return how many members deleted, how many of their words remained, and how many words of others were lost."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Database(folder) as database:
            crowd = Crowd(folder, database, draw)
            for member_id in draw.sample(sorted(crowd.words) * JOBS_EACH, MEMBERS * JOBS_EACH):
                await crowd.write(member_id)
            remained = 0
            leavers = draw.sample(sorted(crowd.words), MEMBERS // 2)
            for member_id in leavers:
                remained += await crowd.delete(member_id)
                for other in draw.sample(sorted(crowd.words), 3):
                    await crowd.write(other)
            lost, searched = await crowd.lost(), crowd.searched_bytes
        with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
            (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
    return {
        "deleted": len(leavers),
        "remained": remained,
        "lost": lost,
        "unsound": int(sound != "ok"),
        "searched": searched,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the missing rounds; return 1 if a byte remained."""
    argparse.ArgumentParser(prog="python -m prove.deletion").parse_args(arguments)
    rounds = Rounds("deletion")
    while len(rounds) < ROUNDS:
        rounds.add(**asyncio.run(prove(len(rounds))))
        print(f"{len(rounds)} of {ROUNDS}", file=sys.stderr, flush=True)
    total = {name: sum(one[name] for one in rounds.all) for name in rounds.all[0]}
    if broken := [name for name in ("remained", "lost", "unsound") if total[name]]:
        return say_broken(broken)
    write_line(
        "Deletion leaves no byte of a member's requests in database, write-ahead log or spool; others' requests stay",
        f"{total['deleted']} members with at least {JOBS_EACH} requests each: {total['remained']} words found in"
        f" {total['searched'] / 1e9:.1f} GB searched, {total['lost']} requests of others lost,"
        f" {ROUNDS - total['unsound']} of {ROUNDS} databases sound",
        "python -m prove.deletion",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
