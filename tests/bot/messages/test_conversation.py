"""How the bot answers messages that it cannot act on: with a sentence, and without flooding."""

import asyncio
import itertools
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.messages import conversation
from bot.messages.conversation import Conversation
from bot.storage.job import Job, JobState
from bot.storage.trouble import StorageTrouble
from tests.bot.jobs_made import make_job

SHELF = SimpleNamespace(names=frozenset({"demo"}))


class Channel:
    """Takes the bot's replies when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self.is_open = asyncio.Event()
        self._ids = itertools.count()

    def message(self, author_id: int, content: str, **changes: Any) -> Any:
        async def reply(_text: str, **_: Any) -> None:
            self.asked.append(content)
            await self.is_open.wait()
            self.said.append(content)

        values = {
            "id": next(self._ids),
            "author": SimpleNamespace(id=author_id, bot=False),
            "content": content,
            "guild": None,
            "reply": reply,
            "is_system": lambda: False,
            "created_at": discord.utils.utcnow(),
            "edited_at": None,
            "embeds": [],
            "attachments": [],
            "message_snapshots": [],
            "components": [],
            "stickers": [],
            "reference": None,
        }
        return SimpleNamespace(**(values | changes))


async def test_whoever_writes_faster_than_the_bot_may_answer_is_answered_once() -> None:
    client: Any = SimpleNamespace(metrics=SimpleNamespace(refused=lambda _: None), shelf=SHELF)
    conversation, channel = Conversation(client), Channel()
    handling = [asyncio.create_task(conversation.handle(channel.message(1, f"{number}"))) for number in range(5)]
    handling.append(asyncio.create_task(conversation.handle(channel.message(2, "0,7"))))
    await asyncio.sleep(0)
    channel.is_open.set()
    await asyncio.gather(*handling)
    assert channel.said == channel.asked == ["0", "0,7"]
    await conversation.handle(channel.message(1, "5"))  # the member can be answered again
    assert channel.said[-1] == "5"


async def test_a_message_that_changes_is_heard_again_until_its_picture_is_there() -> None:
    requests: dict[int, Job] = {}

    async def by_request(_member_id: int, message_id: int) -> Job | None:
        return requests.get(message_id)

    metrics = SimpleNamespace(refused=lambda _: None)
    client: Any = SimpleNamespace(metrics=metrics, shelf=SHELF, jobs=SimpleNamespace(by_request=by_request))
    conversation, channel, now = Conversation(client), Channel(), discord.utils.utcnow()
    channel.is_open.set()

    def version(content: str, minutes: int | None = None, **changes: Any) -> Any:
        edited_at = None if minutes is None else now + timedelta(minutes=minutes)
        return channel.message(1, content, **({"id": 5, "edited_at": edited_at} | changes))

    await conversation.handle(version("0"))
    await conversation.handle_update(version("as it was"))  # for example, it was pinned
    await conversation.handle_update(version("1", embeds=["what a link leads to"]))
    await conversation.handle_update(version("2", 1))
    await conversation.handle_update(version("the same", 1))
    await conversation.handle_update(version("3", 2))
    await conversation.handle_update(version("old", 2, id=6, created_at=now - timedelta(minutes=20)))
    await conversation.handle_update(version("4", 2, id=7))  # no earlier version was meant for the bot
    requests[5] = make_job(state=JobState.QUEUED)
    await conversation.handle_update(version("what a link leads to, too late", 2, embeds=["a link", "another"]))
    await conversation.handle_update(version("5", 3))
    requests[5] = make_job(state=JobState.CANCELLED)
    await conversation.handle_update(version("6", 4))
    requests[5] = make_job(state=JobState.DELIVERED)
    await conversation.handle_update(version("painted", 5))
    assert channel.said == ["0", "1", "2", "3", "4", "5", "6"]


async def test_a_request_that_is_changed_into_small_talk_is_none() -> None:
    async def by_request(_member_id: int, _message_id: int) -> Job:
        return make_job(state=JobState.QUEUED)

    metrics = SimpleNamespace(refused=lambda _: None)
    client: Any = SimpleNamespace(metrics=metrics, shelf=SHELF, jobs=SimpleNamespace(by_request=by_request))
    conversation, channel, now = Conversation(client), Channel(), discord.utils.utcnow()
    channel.is_open.set()
    picture = SimpleNamespace(content_type="image/png", size=1, url="https://example.org", is_spoiler=lambda: False)
    for number, words in enumerate(("cancel this please", "thanks!")):
        edited = {"id": 5, "edited_at": now + timedelta(minutes=number), "attachments": [picture]}
        await conversation.handle_update(channel.message(1, words, **edited))
    assert channel.said == ["cancel this please"]


async def test_an_edit_counts_for_as_long_as_the_request_waits() -> None:
    job = make_job(state=JobState.QUEUED)

    async def by_request(_member_id: int, _message_id: int) -> Job:
        return job

    metrics = SimpleNamespace(refused=lambda _: None)
    client: Any = SimpleNamespace(metrics=metrics, shelf=SHELF, jobs=SimpleNamespace(by_request=by_request))
    conversation, channel, now = Conversation(client), Channel(), discord.utils.utcnow()
    channel.is_open.set()
    old = {"id": 5, "created_at": now - timedelta(minutes=20)}
    await conversation.handle_update(channel.message(1, "pinned", **old))
    await conversation.handle_update(channel.message(1, "1", edited_at=now, **old))
    job = make_job(state=JobState.CANCELLED)
    await conversation.handle_update(channel.message(1, "too late", edited_at=now + timedelta(minutes=1), **old))
    assert channel.said == ["1"]


@pytest.mark.parametrize("is_unfolded", [True, False])
async def test_a_link_is_given_time_to_show_its_picture(monkeypatch: pytest.MonkeyPatch, is_unfolded: bool) -> None:
    async def by_request(_member_id: int, _message_id: int) -> None:
        return None

    client: Any = SimpleNamespace(
        metrics=SimpleNamespace(refused=lambda _: None),
        shelf=SHELF,
        jobs=SimpleNamespace(by_request=by_request),
    )
    conversation_, channel, slept = Conversation(client), Channel(), asyncio.Event()
    channel.is_open.set()
    link = "https://example.com 5=5"  # refused whatever the link leads to, because of its words
    message = channel.message(1, link, id=5)

    async def sleep(_seconds: float) -> None:
        slept.set()
        assert channel.said == []
        if is_unfolded:
            await conversation_.handle_update(channel.message(1, "0,7", id=5, embeds=["a picture"]))

    monkeypatch.setattr(conversation, "asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))
    await conversation_.handle(message)
    assert slept.is_set()
    assert channel.said == (["0,7"] if is_unfolded else [link])


async def test_a_disk_that_takes_nothing_is_in_the_log_as_the_person_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_message: discord.Message) -> None:
        raise StorageTrouble("SQLITE_FULL: database or disk is full")

    client: Any = SimpleNamespace(metrics=SimpleNamespace(refused=lambda _: None), shelf=SHELF)
    conversation, channel = Conversation(client), Channel()
    channel.is_open.set()
    monkeypatch.setattr(conversation._orders, "answer", answer)
    await conversation.handle(channel.message(1, "a fox"))
    assert channel.said == ["a fox"]
    assert "SQLITE_FULL: database or disk is full" in caplog.text
