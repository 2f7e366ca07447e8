"""Moderators are notified, the audit trail is written, and neither a flood nor trouble with either breaks anything."""

import asyncio
from types import SimpleNamespace
from typing import Any, NamedTuple

import discord
import pytest

from bot.discord_api.trouble import STOPPED_BY_AUTOMOD
from bot.moderation.cards import audit_text
from bot.moderation.mod_log import ModLog
from bot.replies import NOT_QUOTED
from bot.storage.audit import Audit
from bot.storage.database import Database
from bot.storage.policies import Policies
from tests.bot.jobs_made import make_job

SERVER, CHANNEL, WITH_AUTOMOD, CLOSED = 2, 9, 19, 29


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
            if channel_id == WITH_AUTOMOD and "a cat" in text:
                response: Any = SimpleNamespace(status=400, reason="Bad Request")
                raise discord.HTTPException(response, {"code": STOPPED_BY_AUTOMOD, "message": "blocked"})
            assert channel_id != CLOSED, "a refusal would count towards a ban"
            if channel_id not in (CHANNEL, WITH_AUTOMOD):
                raise ConnectionError
            sent.append((guild_id, text))

        return SimpleNamespace(send=send)

    policies, audit = Policies(database), Audit(database)

    def guild(guild_id: int) -> Any:
        def seen(channel_id: int) -> Any:
            rights = discord.Permissions(view_channel=True, send_messages=channel_id != CLOSED)
            return SimpleNamespace(permissions_for=lambda _: rights)

        return SimpleNamespace(id=guild_id, me=None, get_channel_or_thread=seen)

    client: Any = SimpleNamespace(get_partial_messageable=channel, get_guild=guild)
    return Place(ModLog(client, policies, audit), policies, audit, sent)


async def test_who_has_asked_for_a_reported_result_is_not_taken_for_who_has_reported_it(place: Place) -> None:
    await place.policies.set_log_channel(SERVER, CHANNEL)
    place.mod_log.note(make_job(guild_id=SERVER, requester_id=1), "reported", None)
    await place.actions()
    ((_, notice),) = place.sent
    assert "I received a report about a result · for <@1>" in notice
    assert "I received a report about a result (for <@1>)" in audit_text(await place.audit.newest(SERVER, 1))


async def test_pictures_are_told_each_time_and_repeated_prompts_once(place: Place) -> None:
    await place.policies.set_log_channel(SERVER, CHANNEL)
    for _ in range(3):
        for what, score in (("words_forbidden", None), ("words_sexual", None), ("result_blocked", 0.91)):
            place.mod_log.note(make_job(guild_id=SERVER, requester_id=1), what, score)
    place.mod_log.note(make_job(guild_id=SERVER, requester_id=5), "words_forbidden", None)
    place.mod_log.note(make_job(guild_id=None, requester_id=1), "result_blocked", 0.9)  # nobody to notify
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


async def test_moderators_are_told_of_words_that_automod_does_not_let_the_bot_repeat(place: Place) -> None:
    await place.policies.set_log_channel(SERVER, WITH_AUTOMOD)
    place.mod_log.note(make_job(guild_id=SERVER), "words_not_wanted", None)
    await place.actions()
    ((_, text),) = place.sent
    assert "a cat" not in text
    assert NOT_QUOTED in text


async def test_a_channel_that_is_closed_to_the_bot_is_not_tried(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    await place.policies.set_log_channel(SERVER, CLOSED)
    place.mod_log.note(make_job(guild_id=SERVER), "input_blocked", 0.9)
    assert await place.actions() == ["input_blocked"]
    assert not place.sent
    assert not caplog.records
