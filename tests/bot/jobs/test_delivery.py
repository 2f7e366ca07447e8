"""A result that waited for Discord is sent as its row says by then."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.components.dynamic_button import DynamicButton
from bot.components.job_buttons import result_view
from bot.errors import Refused
from bot.jobs import channels
from bot.jobs.delivery import Delivery
from bot.storage.database import Database
from bot.storage.job import JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import Spool
from tests.bot.jobs_made import PICTURE, make_job


class Channel:
    """A channel that is out of reach at first, and records the names of the files that get through."""

    def __init__(self) -> None:
        self.filenames: list[str] = []
        self.labels: list[str] = []
        self.deleted: list[int] = []
        self.messages: list[Any] = []  # newest first
        self.is_in_reach = False
        self.refusal: discord.HTTPException | None = None

    async def send(self, _text: str, *, files: list[discord.File], view: discord.ui.View, **_: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        if not self.is_in_reach:
            raise aiohttp.ClientConnectionError
        self.filenames = [file.filename for file in files]
        self.labels = [item.label for item in view.children if isinstance(item, DynamicButton)]
        return SimpleNamespace(id=9)

    async def history(self, **_: Any) -> AsyncIterator[Any]:
        for message in self.messages:
            yield message

    def get_partial_message(self, message_id: int) -> Any:
        async def delete() -> None:
            self.deleted.append(message_id)

        return SimpleNamespace(delete=delete)


def deliver_to(channel: Channel, jobs: Jobs, spool: Spool, *, takes_strength: bool = True) -> Delivery:
    client: Any = SimpleNamespace(
        get_partial_messageable=lambda *_, **__: channel, user="the bot", get_guild={}.get, is_ready=lambda: False
    )
    shelf: Any = SimpleNamespace(
        is_demo=lambda _: False, takes_strength=lambda _: takes_strength, repaints_parts=lambda _: True
    )
    decoder: Any = None  # nothing has to be re-encoded
    return Delivery(client, jobs, spool, shelf, decoder, result_view)


def message(message_id: int, author: str, filename: str) -> Any:
    return SimpleNamespace(id=message_id, author=author, attachments=[SimpleNamespace(filename=filename)])


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

        monkeypatch.setattr(channels, "asyncio", SimpleNamespace(sleep=a_moderator_presses_spoiler))
        assert await deliver_to(channel, jobs, spool).send(job, may_be_there=False) == 9
    assert channel.filenames == [f"SPOILER_{PICTURE.filename}"]


@pytest.mark.parametrize("takes_strength", [True, False])
async def test_other_strengths_are_offered_where_the_model_takes_one(
    tmp_path: Path, database: Database, takes_strength: bool
) -> None:
    jobs, spool, channel = Jobs(database), Spool(tmp_path), Channel()
    channel.is_in_reach = True
    job = make_job(state=JobState.RENDERED, pictures=(PICTURE,))
    await jobs.accept(job)
    await spool.write(job.job_id, PICTURE.filename, b"a picture")
    await deliver_to(channel, jobs, spool, takes_strength=takes_strength).send(job, may_be_there=False)
    assert ("Strengths" in channel.labels) is takes_strength


async def test_a_result_is_withdrawn_wherever_it_is(tmp_path: Path, database: Database) -> None:
    channel, job = Channel(), make_job(status_message_id=4)
    theirs, ours = f"copy-of-{job.job_id}.png", f"palimpsest-{job.job_id}.png"
    delivery = deliver_to(channel, Jobs(database), Spool(tmp_path))
    await delivery.withdraw(job, None)  # it was never sent
    assert channel.deleted == []
    channel.messages = [message(8, "a member", theirs), message(7, "the bot", "other.png")]
    channel.messages += [message(6, "the bot", ours), message(3, "the bot", ours)]
    await delivery.withdraw(job, None)
    await delivery.withdraw(job, 9)
    assert channel.deleted == [6, 9]


@pytest.mark.parametrize("code", [50083, 160005])
async def test_a_thread_that_was_closed_meanwhile_is_no_error_that_nobody_foresaw(
    tmp_path: Path, database: Database, code: int
) -> None:
    response: Any = SimpleNamespace(status=400, reason="Bad Request")
    jobs, spool, channel = Jobs(database), Spool(tmp_path), Channel()
    channel.refusal = discord.HTTPException(response, {"code": code, "message": "Thread is archived"})
    job = make_job(state=JobState.RENDERED, pictures=(PICTURE,))
    await jobs.accept(job)
    await spool.write(job.job_id, PICTURE.filename, b"a picture")
    with pytest.raises(Refused, match="not_allowed_here"):
        await deliver_to(channel, jobs, spool).send(job, may_be_there=False)
    channel.messages = [message(9, "the bot", f"palimpsest-{job.job_id}.png")]  # it was sent; its response was lost
    assert await deliver_to(channel, jobs, spool).send(job, may_be_there=False) == 9
