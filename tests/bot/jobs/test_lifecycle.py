"""A job that is cancelled in the middle of a step: it is over at once, and nothing of it remains."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import Refused
from bot.jobs import desk as desk_module
from bot.jobs.audience import NEVER_TOLD
from bot.replies import refusal_sentence
from bot.storage.job import JobState
from bot.storage.member_data import MemberData
from bot.storage.spool import INPUT_FILENAME
from generation.events import FailureKind
from generation.sentences import failure_sentence
from tests.bot.jobs.scene import Scene
from tests.bot.jobs_made import PICTURE, make_job


@pytest.mark.parametrize("found", [None, 7])
async def test_given_up_while_it_is_not_known_whether_anybody_was_told(scene: Scene, found: int | None) -> None:
    scene.discord.found = found
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.lifecycle.notifier.ensure_told(job)
    await scene.discord.asked.wait()
    assert await scene.lifecycle.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.lifecycle.open.close(grace_seconds=600)
    assert await scene.state(job) is JobState.CANCELLED
    assert len(scene.lifecycle.open) == 0  # otherwise it would count against its member until the next start
    assert scene.discord.sent == []
    assert scene.discord.told == ([(7, "🚫 Cancelled")] if found else [])


async def test_the_status_message_of_another_request_by_the_same_message_is_not_taken(scene: Scene) -> None:
    edited = make_job(request_message_id=5, status_message_id=7)
    job = make_job(request_message_id=5, status_message_id=None)
    for each in (edited, job):
        await scene.jobs.accept(each)
    await scene.jobs.cancel(job.job_id)
    scene.discord.found = 7
    scene.discord.answers.set()
    await scene.lifecycle.notifier.ensure_told(job)
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.sent == [job.job_id]
    assert 7 not in [status_message_id for status_message_id, _ in scene.discord.told]


async def test_given_up_while_its_requester_is_being_told_of_it(scene: Scene) -> None:
    job = make_job(status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.lifecycle.endings.cancel(job.job_id)
    await scene.lifecycle.start_next_step(replace(job, status_message_id=7))
    await scene.lifecycle.open.close(grace_seconds=600)
    assert len(scene.lifecycle.open) == 0  # otherwise it would count against its member until the next start
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_whose_message_is_deleted_while_it_is_answered_is_given_up(scene: Scene) -> None:
    desk = scene.desk()
    job = make_job(request_message_id=5, status_message_id=None)

    async def acknowledge(_text: str) -> int:
        await desk.message_deleted(5, job.channel_id)
        return 7

    await desk.accept(job, acknowledge)
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled because the message that asked for it was deleted")]


@pytest.mark.parametrize("is_recent", [True, False], ids=["emptied", "deleted"])
async def test_forgotten_while_its_requester_is_being_told_of_it(scene: Scene, is_recent: bool) -> None:
    job = make_job(status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.lifecycle.endings.cancel(job.job_id)
    write_down = scene.jobs.set_status_message

    async def written_down_and_forgotten(job_id: str, status_message_id: int | None) -> None:
        await write_down(job_id, status_message_id)
        keep_since = job.accepted_at - 1 if is_recent else job.accepted_at
        await MemberData(scene.database).delete_requests([job.job_id], keep_since=keep_since)

    scene.jobs.set_status_message = written_down_and_forgotten  # type: ignore[method-assign]
    await scene.lifecycle.start_next_step(replace(job, status_message_id=7))
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_forgotten_while_it_is_not_known_whether_anybody_was_told(scene: Scene) -> None:
    scene.discord.found = 7
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.lifecycle.notifier.ensure_told(job)
    await scene.discord.asked.wait()
    assert await scene.lifecycle.endings.cancel(job.job_id)
    await MemberData(scene.database).delete_requests([job.job_id], keep_since=job.accepted_at)
    scene.discord.answers.set()
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_given_up_while_the_finished_picture_is_looked_at(scene: Scene) -> None:
    job = await scene.queued()
    serving = asyncio.create_task(scene.lifecycle.service.run())
    await scene.results.asked.wait()
    assert await scene.lifecycle.endings.cancel(job.job_id)
    assert (job.status_message_id, "🚫 Cancelled") in scene.discord.told
    scene.results.answers.set()
    await scene.lifecycle.service.close(grace_seconds=600)
    await serving
    assert await scene.state(job) is JobState.CANCELLED
    assert await scene.spool.job_ids() == []
    assert not await scene.lifecycle.endings.cancel(job.job_id)


async def test_whose_process_is_lost_is_not_shown_steps_that_are_lost_too(scene: Scene) -> None:
    scene.executor.is_lost = True
    await scene.queued()
    serving = asyncio.create_task(scene.lifecycle.service.run())
    await scene.discord.was_told("🎨 **Painting**")
    await scene.lifecycle.service.close(grace_seconds=0)
    await serving


async def test_nobody_waits_for_the_last_word_about_another(scene: Scene) -> None:
    scene.discord.hears.clear()
    scene.executor.failing, scene.executor.is_slow = await scene.queued(), True
    await scene.queued()
    serving = asyncio.create_task(scene.lifecycle.service.run())
    async with asyncio.timeout(60):
        await scene.executor.begun.wait()
    scene.discord.hears.set()
    await scene.discord.was_told("⚠️ " + failure_sentence(FailureKind.OUT_OF_MEMORY, {}).partition("\n")[0])
    await scene.lifecycle.service.close(grace_seconds=0)
    await serving


async def test_a_last_word_that_breaks_is_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async def break_down() -> None:
        raise RuntimeError("a surprise")

    scene.lifecycle.endings.in_background(break_down())
    await asyncio.wait(scene.lifecycle.endings.background)
    (record,) = caplog.records
    assert record.name == "bot.jobs.endings"
    assert "break_down" in record.message


@pytest.mark.parametrize(
    ("kind", "changes", "is_kept"),
    [
        (FailureKind.OUT_OF_MEMORY, {"queued_at": 1.0}, True),
        ("check_failed", {}, False),
        ("result_lost", {"queued_at": 1.0}, False),
    ],
)
async def test_what_failed_in_spite_of_its_picture_keeps_it_until_its_message_is_deleted(
    scene: Scene, kind: str, changes: dict[str, Any], is_kept: bool
) -> None:
    job = make_job(state=JobState.QUEUED, **changes)
    await scene.jobs.accept(job)
    for filename in (INPUT_FILENAME, PICTURE.filename):
        await scene.spool.write(job.job_id, filename, b"a picture")
    await scene.lifecycle.endings.fail(job, kind)
    desk = scene.desk()
    assert await desk.has_input(job) is is_kept
    assert not await scene.spool.exists(job.job_id, PICTURE.filename)
    assert job.status_message_id is not None
    await desk.message_deleted(job.status_message_id, job.channel_id)
    assert await scene.spool.job_ids() == []


async def test_given_up_by_a_bot_that_ends_before_it_knows_the_status_message(scene: Scene) -> None:
    """The message is updated after the next start, and searched for only once."""
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.lifecycle.endings.cancel(job.job_id)
    await asyncio.gather(*scene.lifecycle.endings.background)
    scene.discord.found = 7
    scene.discord.answers.set()
    for _start in range(2):
        await scene.desk().resume(bot_died=True)
        await asyncio.gather(*scene.lifecycle.endings.background)
        assert scene.discord.told == [(7, "🚫 Cancelled")]
    row = await scene.jobs.get(job.job_id)
    assert row is not None
    assert row.status_message_id == 7


async def test_whoever_was_never_told_is_looked_for_once(scene: Scene) -> None:
    job = make_job(status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.jobs.expire(job.job_id, NEVER_TOLD)
    scene.discord.answers.set()
    await scene.desk().resume(bot_died=True)
    await asyncio.gather(*scene.lifecycle.endings.background)
    assert await scene.jobs.with_end_to_show() == []


async def test_given_up_while_it_is_sent_is_withdrawn(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.lifecycle.start_next_step(job)
    await scene.discord.asked.wait()
    assert await scene.lifecycle.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.withdrawn == [(job.job_id, 9)]
    assert await scene.jobs.with_end_to_show() == []


async def test_given_up_while_it_is_sent_is_withdrawn_even_if_the_bot_stops_just_then(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.lifecycle.start_next_step(job)
    await scene.discord.asked.wait()
    assert await scene.lifecycle.endings.cancel(job.job_id)
    await scene.lifecycle.open.close(grace_seconds=0)
    assert scene.discord.withdrawn == []

    for _start in range(2):
        await scene.desk().resume(bot_died=True)
        await asyncio.gather(*scene.lifecycle.endings.background)
        assert scene.discord.withdrawn == [(job.job_id, None)]


async def test_what_is_not_wanted_any_more_when_its_turn_comes_is_not_painted(scene: Scene) -> None:
    scene.results.refused = Refused("words_not_wanted")
    job = await scene.queued()
    serving = asyncio.create_task(scene.lifecycle.service.run())
    await scene.discord.was_told(f"⚠️ {refusal_sentence('words_not_wanted', {})}")
    await scene.lifecycle.service.close(grace_seconds=600)
    await serving
    assert await scene.state(job) is JobState.FAILED
    assert await scene.spool.job_ids() == []


async def test_what_cannot_be_said_in_time_at_the_end_is_left_to_the_next_start(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "_LAST_WORDS_SECONDS", 0.0)
    scene.discord.hears.clear()
    desk = scene.desk()
    desk.start()
    job = make_job()
    await scene.jobs.accept(job)
    cancelled = await scene.jobs.cancel(job.job_id)
    assert cancelled is not None
    scene.lifecycle.endings.in_background(scene.lifecycle.endings.show_end(cancelled))
    await asyncio.sleep(0)
    await desk.close(grace_seconds=0, drains=False)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await scene.jobs.with_end_to_show() == [cancelled]
