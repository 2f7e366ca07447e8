"""Moderators are told, the trail is written, and neither a flood nor trouble with either breaks anything."""

import asyncio
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from bot.moderation.mod_log import ModLog
from bot.storage.audit import Audit
from bot.storage.database import Database
from bot.storage.policies import Policies
from tests.bot.jobs_made import make_job

SERVER, CHANNEL = 2, 9


class Place(NamedTuple):
    mod_log: ModLog
    policies: Policies
    audit: Audit
    sent: list[tuple[int, str]]

    async def actions(self) -> list[str]:
        await asyncio.gather(*self.mod_log._tasks)
        return [entry.action for entry in reversed(await self.audit.newest(SERVER, 50))]


@pytest.fixture
def place(database: Database) -> Place:
    sent: list[tuple[int, str]] = []

    def channel(channel_id: int, *, guild_id: int) -> Any:
        async def send(text: str, **_: Any) -> None:
            if channel_id != CHANNEL:
                raise ConnectionError
            sent.append((guild_id, text))

        return SimpleNamespace(send=send)

    policies, audit = Policies(database), Audit(database)
    client: Any = SimpleNamespace(get_partial_messageable=channel)
    return Place(ModLog(client, policies, audit), policies, audit, sent)


async def test_pictures_are_told_each_time_and_repeated_prompts_once(place: Place) -> None:
    await place.policies.set_log_channel(SERVER, CHANNEL)
    for _ in range(3):
        for what, score in (("words_forbidden", None), ("words_sexual", None), ("result_blocked", 0.91)):
            place.mod_log.note(make_job(guild_id=SERVER, requester_id=1), what, score)
    place.mod_log.note(make_job(guild_id=SERVER, requester_id=5), "words_forbidden", None)
    place.mod_log.note(make_job(guild_id=None, requester_id=1), "result_blocked", 0.9)  # nobody to tell
    actions = await place.actions()
    assert sorted(actions) == ["result_blocked"] * 3 + ["words_forbidden"] * 2
    assert len(place.sent) == 3 + 2 + 1
    assert all(guild_id == SERVER for guild_id, _ in place.sent)


async def test_without_a_channel_the_trail_is_written_all_the_same(place: Place) -> None:
    place.mod_log.note(make_job(guild_id=SERVER), "result_hidden", 0.7)
    assert await place.actions() == ["result_hidden"]
    assert place.sent == []


async def test_a_channel_in_trouble_breaks_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    await place.policies.set_log_channel(SERVER, CHANNEL + 1)
    job = make_job(guild_id=SERVER, prompt="a prompt for nobody's log")
    place.mod_log.note(job, "result_blocked", 0.9)
    assert await place.actions() == ["result_blocked"]
    assert job.job_id in caplog.text
    assert job.prompt not in caplog.text
