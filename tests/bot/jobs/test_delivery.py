"""A result that waits for Discord goes out as its row is by then."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.jobs import delivery
from bot.jobs.delivery import Delivery
from bot.storage.database import Database
from bot.storage.job import JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import Spool
from tests.bot.jobs_made import PICTURE, make_job


class Channel:
    """Is out of reach at first; remembers the names of the files that come through."""

    def __init__(self) -> None:
        self.filenames: list[str] = []
        self.is_in_reach = False

    async def send(self, _text: str, *, files: list[discord.File], **_: Any) -> Any:
        if not self.is_in_reach:
            raise aiohttp.ClientConnectionError
        self.filenames = [file.filename for file in files]
        return SimpleNamespace(id=9)

    async def history(self, **_: Any) -> AsyncIterator[discord.Message]:
        for message in ():
            yield message


async def test_what_is_hidden_while_it_waits_for_discord_comes_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database(tmp_path) as database:
        jobs, spool, channel = Jobs(database), Spool(tmp_path), Channel()
        job = make_job(state=JobState.RENDERED, pictures=(PICTURE,))
        await jobs.accept(job)
        await spool.write(job.job_id, PICTURE.filename, b"a picture")

        async def a_moderator_presses_spoiler(_seconds: float) -> None:
            await jobs.hide(job.job_id)
            channel.is_in_reach = True

        monkeypatch.setattr(delivery, "asyncio", SimpleNamespace(sleep=a_moderator_presses_spoiler))
        client: Any = SimpleNamespace(get_partial_messageable=lambda *_, **__: channel)
        shelf: Any = SimpleNamespace(is_demo=lambda _: False, takes_strength=lambda _: True)
        decoder: Any = None  # nothing has to be encoded smaller
        assert await Delivery(client, jobs, spool, shelf, decoder).send(job, may_be_there=False) == 9
    assert channel.filenames == [f"SPOILER_{PICTURE.filename}"]
