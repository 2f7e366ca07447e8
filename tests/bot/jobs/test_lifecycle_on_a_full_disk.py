"""A job on a full disk: people are told the truth, and the state is put right once the disk works again."""

import asyncio
import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import discord
import pytest

from bot.errors import Refused
from bot.storage.job import JobState
from bot.storage.spool import INPUT_FILENAME
from tests.bot.jobs.scene import Scene
from tests.bot.jobs_made import PICTURE, make_job


async def test_pictures_that_cannot_be_deleted_now_do_not_keep_their_job_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that has become read-only since they were written; the janitor deletes them later."""

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    job = await scene.rendered()
    await scene.spool.write(job.job_id, PICTURE.filename, b"a picture")
    monkeypatch.setattr(Path, "unlink", refuse)
    scene.discord.answers.set()
    await scene.lifecycle.start_next_step(job)
    await scene.discord.was_told("✅ Done: https://discord.com/channels/2/3/9")
    assert await scene.state(job) is JobState.DELIVERED
    assert len(scene.lifecycle.open) == 0  # otherwise it would count against its member until the next start
    monkeypatch.undo()
    await scene.spool.delete(job.job_id)
    assert await scene.spool.job_ids() == []


async def test_given_up_on_a_disk_that_takes_nothing(scene: Scene) -> None:
    scene.executor.is_slow = True
    job = await scene.queued()
    serving = asyncio.create_task(scene.lifecycle.service.run())
    await scene.executor.begun.wait()
    await scene.set_disk(is_full=True)
    for _press in range(2):
        with pytest.raises(Refused, match="cancelled_unstored"):
            await scene.lifecycle.endings.cancel(job.job_id)
    await scene.executor.cancelled.wait()
    await scene.discord.was_told("🚫 Cancelled")
    assert len(scene.lifecycle.open) == 0
    await scene.set_disk(is_full=False)
    await asyncio.gather(*scene.lifecycle.endings.background)
    assert await scene.state(job) is JobState.CANCELLED
    assert await scene.spool.job_ids() == []
    await scene.lifecycle.service.close(grace_seconds=600)
    await serving


async def test_whoever_was_told_is_not_left_waiting_by_a_disk_that_takes_nothing_any_more(scene: Scene) -> None:
    job = make_job(input_sha256="", state=JobState.QUEUED)
    await scene.jobs.accept(job)
    await scene.set_disk(is_full=True)
    await scene.lifecycle.start_next_step(job)
    assert job.job_id in scene.lifecycle.open
    assert scene.lifecycle.service.forecast(seconds_left=lambda _: None, seconds=lambda _: None)
    await scene.set_disk(is_full=False)


async def test_whoever_may_not_be_answered_is_settled_when_the_disk_is_mended(scene: Scene) -> None:
    job = make_job(status_message_id=None)

    async def acknowledge(_text: str) -> int:
        await scene.set_disk(is_full=True)
        raise discord.Forbidden(SimpleNamespace(status=403, reason=""), {"code": 50013, "message": ""})  # type: ignore[arg-type]

    with pytest.raises(discord.Forbidden):
        await scene.desk().accept(job, acknowledge)
    await scene.set_disk(is_full=False)
    await asyncio.gather(*scene.lifecycle.endings.background)
    assert await scene.state(job) is JobState.EXPIRED


async def test_given_up_on_a_disk_that_takes_nothing_while_it_is_not_known_whether_anybody_was_told(
    scene: Scene,
) -> None:
    scene.discord.found = 7
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.lifecycle.notifier.ensure_told(job)
    await scene.discord.asked.wait()
    has_room = scene.no_room_for_cancels()
    with pytest.raises(Refused, match="cancelled_unstored"):
        await scene.lifecycle.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]
    has_room.set()
    await asyncio.gather(*scene.lifecycle.endings.background)
    assert await scene.state(job) is JobState.CANCELLED


async def test_given_up_on_a_disk_that_takes_nothing_while_it_is_sent_is_withdrawn(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.lifecycle.start_next_step(job)
    await scene.discord.asked.wait()
    has_room = scene.no_room_for_cancels()
    with pytest.raises(Refused, match="cancelled_unstored"):
        await scene.lifecycle.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.lifecycle.open.close(grace_seconds=600)
    assert scene.discord.withdrawn == [(job.job_id, 9)]
    has_room.set()
    await asyncio.gather(*scene.lifecycle.endings.background)
    assert await scene.state(job) is JobState.CANCELLED
    assert {text for _, text in scene.discord.told} == {"🚫 Cancelled"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit files")
async def test_a_result_can_be_deleted_on_a_full_disk(scene: Scene) -> None:
    import resource

    job = make_job(state=JobState.DELIVERED, result_message_id=9)
    await scene.jobs.accept(job)
    await scene.spool.write(job.job_id, INPUT_FILENAME, b"a picture")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, usual[1]))
    try:
        await scene.desk().delete(job.job_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert scene.discord.deleted == [9]
    assert await scene.spool.job_ids() == []
    await asyncio.gather(*scene.lifecycle.endings.background)
    row = await scene.jobs.get(job.job_id)
    assert row is not None
    assert row.result_message_id is None
