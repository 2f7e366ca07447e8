"""A job that is given up in the middle of a step: it is over at once, and nothing of it is left."""

import asyncio
import errno
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.errors import Refused
from bot.jobs import desk as desk_module
from bot.jobs.audience import NEVER_TOLD
from bot.jobs.desk import JobDesk
from bot.jobs.estimates import Estimates
from bot.jobs.life import JobLife
from bot.jobs.results import request_of
from bot.monitoring.invalid_requests import Restraint
from bot.replies import refusal_sentence
from bot.storage.database import Database
from bot.storage.job import CancelReason, Job, JobState, StoredPicture
from bot.storage.jobs import Jobs
from bot.storage.member_data import MemberData
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Started
from generation.requests import Img2ImgRequest, Img2ImgResult
from generation.sentences import failure_sentence
from tests.bot.jobs_made import PICTURE, make_job


class Discord:
    """Answers when the test lets it, and remembers which status message was told what."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.found: int | None = None
        self.told: list[tuple[int | None, str]] = []
        self.sent: list[str] = []
        self.hears = asyncio.Event()
        self.hears.set()
        self.deleted: list[int | None] = []
        self.withdrawn: list[tuple[str, int | None]] = []
        self._came = asyncio.Condition()

    async def was_told(self, text: str) -> None:
        """Wait until a status message begins with a line."""
        async with self._came:
            await self._came.wait_for(lambda: text in [told.partition("\n")[0] for _, told in self.told])

    def require_open(self, _job: Job) -> None:
        """It is."""

    async def missing(self, _job: Job) -> None:
        return None

    async def find(self, _job: Job) -> int | None:
        self.asked.set()
        await self.answers.wait()
        return self.found

    async def post(self, job: Job) -> int | None:
        self.sent.append(job.job_id)
        return None

    async def edit(self, job: Job, text: str, *_: Any) -> None:
        await self.hears.wait()
        async with self._came:
            self.told.append((job.status_message_id, text))
            self._came.notify_all()

    async def send(self, _job: Job, *, may_be_there: bool) -> int:
        self.asked.set()
        await self.answers.wait()
        return 9

    async def delete(self, job: Job) -> None:
        self.deleted.append(job.result_message_id)

    async def withdraw(self, job: Job, message_id: int | None) -> None:
        self.withdrawn.append((job.job_id, message_id))


class Results:
    """Looks at finished pictures for as long as the test wants."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.refused: Refused | None = None

    async def request_for(self, job: Job) -> Img2ImgRequest:
        if self.refused is not None:
            raise self.refused
        return request_of(job, b"a picture")

    async def keep(self, _job: Job, _result: Img2ImgResult) -> list[StoredPicture]:
        self.asked.set()
        await self.answers.wait()
        return [PICTURE]


class Executor:
    """Finishes whatever it gets; its event is final by the time that anybody can cancel.

    ``failing`` is too much for it. With ``is_lost`` it is lost with what it gets, and does not come up again; with
    ``is_slow`` it paints until that is cancelled.
    """

    slots = 1

    def __init__(self) -> None:
        self.is_lost = self.is_slow = False
        self.failing: Job | None = None
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        """There is nothing to start."""

    async def run(self, job_id: str, attempt: int, request: Img2ImgRequest) -> AsyncGenerator[Event, None]:
        if attempt > 1:
            await asyncio.Event().wait()
        yield Started(job_id=job_id, attempt=attempt, total_steps=1)
        if self.failing is not None and self.failing.job_id == job_id:
            yield Failed(job_id=job_id, attempt=attempt, kind=FailureKind.OUT_OF_MEMORY)
            return
        if self.is_lost:
            yield Failed(job_id=job_id, attempt=attempt, kind=FailureKind.EXECUTOR_DIED)
            return
        if self.is_slow:
            self.begun.set()
            await self.cancelled.wait()
            yield Cancelled(job_id=job_id, attempt=attempt)
            return
        result = Img2ImgResult(pictures=(), seconds=1.0, device="none", dtype="float32")
        yield Finished(job_id=job_id, attempt=attempt, result=result)

    def cancel(self, job_id: str) -> None:
        self.cancelled.set()

    async def stop(self) -> None:
        """There is nothing to stop."""


class Scene:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.discord, self.results, self.executor = Discord(), Results(), Executor()
        self.jobs, self.spool = Jobs(database), Spool(folder)
        discord: Any = self.discord
        results: Any = self.results
        intake: Any = None  # nothing is brought in
        self.life = JobLife(
            jobs=self.jobs,
            spool=self.spool,
            intake=intake,
            audience=discord,
            results=results,
            executor=self.executor,
            status_messages=discord,
            delivery=discord,
            estimates=Estimates(self.jobs),
            admit_preview=None,
            status_interval_seconds=0.0,
            max_running_per_member=None,
            note_settled=lambda _: None,
            restraint=lambda: Restraint.NONE,
        )

    async def queued(self) -> Job:
        """Return a job that waits for the executor, to be begun at once."""
        job = make_job(input_sha256="", state=JobState.QUEUED)
        await self.jobs.accept(job)
        await self.spool.write(job.job_id, INPUT_FILENAME, b"a picture")
        await self.life.go_on(job)
        return job

    async def rendered(self) -> Job:
        """Return a job whose picture only has to be sent."""
        job = make_job(state=JobState.RENDERED, rendered_at=1.0)
        await self.jobs.accept(job)
        return job

    def desk(self) -> JobDesk:
        delivery: Any = self.discord
        return JobDesk(self.life, jobs=self.jobs, spool=self.spool, delivery=delivery)

    async def set_disk(self, *, is_full: bool) -> None:
        """Let every write fail, or none."""
        connection = self.database._connection
        assert connection is not None
        await self.database._in_thread(lambda: connection.execute(f"PRAGMA query_only = {int(is_full)}"))

    def no_room_for_cancels(self) -> asyncio.Event:
        """Let nothing be written of what is given up before the event that is returned."""
        write_down, has_room = self.jobs.cancel, asyncio.Event()

        async def cancel(job_id: str, reason: CancelReason | None = None) -> Job | None:
            if not has_room.is_set():
                raise StorageTrouble("SQLITE_FULL: database or disk is full")
            return await write_down(job_id, reason)

        self.jobs.cancel = cancel  # type: ignore[method-assign]
        return has_room

    async def state(self, job: Job) -> JobState:
        row = await self.jobs.get(job.job_id)
        assert row is not None
        return row.state


@pytest.fixture
async def scene(tmp_path: Path, database: Database) -> AsyncIterator[Scene]:
    scene = Scene(database, tmp_path / "spool")
    yield scene
    scene.discord.hears.set()
    await scene.life.open.close(grace_seconds=0)
    await scene.life.progress.close()


@pytest.mark.parametrize("found", [None, 7])
async def test_given_up_while_it_is_not_known_whether_anybody_was_told(scene: Scene, found: int | None) -> None:
    scene.discord.found = found
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.life.tell_first(job)
    await scene.discord.asked.wait()
    assert await scene.life.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.life.open.close(grace_seconds=600)
    assert await scene.state(job) is JobState.CANCELLED
    assert len(scene.life.open) == 0  # else it would count against its member until the next start
    assert scene.discord.sent == []
    assert scene.discord.told == ([(7, "🚫 Cancelled")] if found else [])


async def test_given_up_while_its_requester_is_being_told_of_it(scene: Scene) -> None:
    job = make_job(status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.life.endings.cancel(job.job_id)
    await scene.life.go_on(replace(job, status_message_id=7))
    await scene.life.open.close(grace_seconds=600)
    assert len(scene.life.open) == 0  # else it would count against its member until the next start
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_whose_message_is_deleted_while_it_is_answered_is_given_up(scene: Scene) -> None:
    desk = scene.desk()
    job = make_job(request_message_id=5, status_message_id=None)

    async def acknowledge(_text: str) -> int:
        await desk.message_deleted(5, job.channel_id)
        return 7

    await desk.take(job, acknowledge)
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled, because the message that asked for it was deleted")]


@pytest.mark.parametrize("is_recent", [True, False], ids=["emptied", "deleted"])
async def test_forgotten_while_its_requester_is_being_told_of_it(scene: Scene, is_recent: bool) -> None:
    job = make_job(status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.life.endings.cancel(job.job_id)
    write_down = scene.jobs.set_status_message

    async def written_down_and_forgotten(job_id: str, status_message_id: int | None) -> None:
        await write_down(job_id, status_message_id)
        keep_since = job.accepted_at - 1 if is_recent else job.accepted_at
        await MemberData(scene.database).delete_requests([job.job_id], keep_since=keep_since)

    scene.jobs.set_status_message = written_down_and_forgotten  # type: ignore[method-assign]
    await scene.life.go_on(replace(job, status_message_id=7))
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_forgotten_while_it_is_not_known_whether_anybody_was_told(scene: Scene) -> None:
    scene.discord.found = 7
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.life.tell_first(job)
    await scene.discord.asked.wait()
    assert await scene.life.endings.cancel(job.job_id)
    await MemberData(scene.database).delete_requests([job.job_id], keep_since=job.accepted_at)
    scene.discord.answers.set()
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]


async def test_given_up_while_the_finished_picture_is_looked_at(scene: Scene) -> None:
    job = await scene.queued()
    serving = asyncio.create_task(scene.life.service.run())
    await scene.results.asked.wait()
    assert await scene.life.endings.cancel(job.job_id)
    assert (job.status_message_id, "🚫 Cancelled") in scene.discord.told
    scene.results.answers.set()
    await scene.life.service.close(grace_seconds=600)
    await serving
    assert await scene.state(job) is JobState.CANCELLED
    assert await scene.spool.job_ids() == []
    assert not await scene.life.endings.cancel(job.job_id)


async def test_whose_process_is_lost_is_not_shown_steps_that_are_lost_too(scene: Scene) -> None:
    scene.executor.is_lost = True
    await scene.queued()
    serving = asyncio.create_task(scene.life.service.run())
    await scene.discord.was_told("🎨 **Painting**")
    await scene.life.service.close(grace_seconds=0)
    await serving


async def test_nobody_waits_for_the_last_word_about_another(scene: Scene) -> None:
    scene.discord.hears.clear()
    scene.executor.failing, scene.executor.is_slow = await scene.queued(), True
    await scene.queued()
    serving = asyncio.create_task(scene.life.service.run())
    async with asyncio.timeout(60):
        await scene.executor.begun.wait()
    scene.discord.hears.set()
    await scene.discord.was_told("⚠️ " + failure_sentence(FailureKind.OUT_OF_MEMORY, {}).partition("\n")[0])
    await scene.life.service.close(grace_seconds=0)
    await serving


async def test_a_last_word_that_breaks_is_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async def break_down() -> None:
        raise RuntimeError("a surprise")

    scene.life.endings.in_background(break_down())
    await asyncio.wait(scene.life.endings.background)
    (record,) = caplog.records
    assert record.name == "bot.jobs.endings"
    assert "break_down" in record.message


async def test_pictures_that_cannot_be_deleted_now_do_not_keep_their_job_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that has turned read-only since they were written; the janitor comes again."""

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    job = await scene.rendered()
    await scene.spool.write(job.job_id, PICTURE.filename, b"a picture")
    monkeypatch.setattr(Path, "unlink", refuse)
    scene.discord.answers.set()
    await scene.life.go_on(job)
    await scene.discord.was_told("✅ Done: https://discord.com/channels/2/3/9")
    assert await scene.state(job) is JobState.DELIVERED
    assert len(scene.life.open) == 0  # else it would count against its member until the next start
    monkeypatch.undo()
    await scene.spool.delete(job.job_id)
    assert await scene.spool.job_ids() == []


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
    await scene.life.endings.fail(job, kind)
    desk = scene.desk()
    assert await desk.has_input(job) is is_kept
    assert not await scene.spool.exists(job.job_id, PICTURE.filename)
    assert job.status_message_id is not None
    await desk.message_deleted(job.status_message_id, job.channel_id)
    assert await scene.spool.job_ids() == []


async def test_given_up_on_a_disk_that_takes_nothing(scene: Scene) -> None:
    scene.executor.is_slow = True
    job = await scene.queued()
    serving = asyncio.create_task(scene.life.service.run())
    await scene.executor.begun.wait()
    await scene.set_disk(is_full=True)
    for _press in range(2):
        with pytest.raises(Refused, match="cancelled_unstored"):
            await scene.life.endings.cancel(job.job_id)
    await scene.executor.cancelled.wait()
    await scene.discord.was_told("🚫 Cancelled")
    assert len(scene.life.open) == 0
    await scene.set_disk(is_full=False)
    await asyncio.gather(*scene.life.endings.background)
    assert await scene.state(job) is JobState.CANCELLED
    assert await scene.spool.job_ids() == []
    await scene.life.service.close(grace_seconds=600)
    await serving


async def test_whoever_was_told_is_not_left_waiting_by_a_disk_that_takes_nothing_any_more(scene: Scene) -> None:
    job = make_job(input_sha256="", state=JobState.QUEUED)
    await scene.jobs.accept(job)
    await scene.set_disk(is_full=True)
    await scene.life.go_on(job)
    assert job.job_id in scene.life.open
    assert scene.life.service.forecast(seconds_left=lambda _: None, seconds=lambda _: None)
    await scene.set_disk(is_full=False)


async def test_whoever_may_not_be_answered_is_settled_when_the_disk_is_mended(scene: Scene) -> None:
    job = make_job(status_message_id=None)

    async def acknowledge(_text: str) -> int:
        await scene.set_disk(is_full=True)
        raise discord.Forbidden(SimpleNamespace(status=403, reason=""), {"code": 50013, "message": ""})  # type: ignore[arg-type]

    with pytest.raises(discord.Forbidden):
        await scene.desk().take(job, acknowledge)
    await scene.set_disk(is_full=False)
    await asyncio.gather(*scene.life.endings.background)
    assert await scene.state(job) is JobState.EXPIRED


async def test_given_up_by_a_bot_that_ends_before_it_knows_the_status_message(scene: Scene) -> None:
    """That message says so after the next start, and is looked for once."""
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    assert await scene.life.endings.cancel(job.job_id)
    await asyncio.gather(*scene.life.endings.background)
    scene.discord.found = 7
    scene.discord.answers.set()
    for _start in range(2):
        await scene.desk().resume(bot_died=True)
        await asyncio.gather(*scene.life.endings.background)
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
    await asyncio.gather(*scene.life.endings.background)
    assert await scene.jobs.with_end_to_show() == []


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
    await asyncio.gather(*scene.life.endings.background)
    row = await scene.jobs.get(job.job_id)
    assert row is not None
    assert row.result_message_id is None


async def test_given_up_on_a_disk_that_takes_nothing_while_it_is_not_known_whether_anybody_was_told(
    scene: Scene,
) -> None:
    scene.discord.found = 7
    job = make_job(request_message_id=5, status_message_id=None)
    await scene.jobs.accept(job)
    await scene.life.tell_first(job)
    await scene.discord.asked.wait()
    has_room = scene.no_room_for_cancels()
    with pytest.raises(Refused, match="cancelled_unstored"):
        await scene.life.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.told == [(7, "🚫 Cancelled")]
    has_room.set()
    await asyncio.gather(*scene.life.endings.background)
    assert await scene.state(job) is JobState.CANCELLED


async def test_given_up_on_a_disk_that_takes_nothing_while_it_is_sent_is_withdrawn(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.life.go_on(job)
    await scene.discord.asked.wait()
    has_room = scene.no_room_for_cancels()
    with pytest.raises(Refused, match="cancelled_unstored"):
        await scene.life.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.withdrawn == [(job.job_id, 9)]
    has_room.set()
    await asyncio.gather(*scene.life.endings.background)
    assert await scene.state(job) is JobState.CANCELLED
    assert {text for _, text in scene.discord.told} == {"🚫 Cancelled"}


async def test_given_up_while_it_is_sent_is_withdrawn(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.life.go_on(job)
    await scene.discord.asked.wait()
    assert await scene.life.endings.cancel(job.job_id)
    scene.discord.answers.set()
    await scene.life.open.close(grace_seconds=600)
    assert scene.discord.withdrawn == [(job.job_id, 9)]
    assert await scene.jobs.with_end_to_show() == []


async def test_given_up_while_it_is_sent_is_withdrawn_even_if_the_bot_stops_just_then(scene: Scene) -> None:
    job = await scene.rendered()
    await scene.life.go_on(job)
    await scene.discord.asked.wait()
    assert await scene.life.endings.cancel(job.job_id)
    await scene.life.open.close(grace_seconds=0)
    assert scene.discord.withdrawn == []

    for _start in range(2):
        await scene.desk().resume(bot_died=True)
        await asyncio.gather(*scene.life.endings.background)
        assert scene.discord.withdrawn == [(job.job_id, None)]


async def test_what_is_not_wanted_any_more_when_its_turn_comes_is_not_painted(scene: Scene) -> None:
    scene.results.refused = Refused("words_not_wanted")
    job = await scene.queued()
    serving = asyncio.create_task(scene.life.service.run())
    await scene.discord.was_told(f"⚠️ {refusal_sentence('words_not_wanted', {})}")
    await scene.life.service.close(grace_seconds=600)
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
    scene.life.endings.in_background(scene.life.endings.show_end(cancelled))
    await asyncio.sleep(0)
    await desk.close(grace_seconds=0, drains=False)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await scene.jobs.with_end_to_show() == [cancelled]
