"""A job's life with fakes for Discord, the results and the executor, all controlled by the test."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from bot.errors import Refused
from bot.jobs.desk import JobDesk
from bot.jobs.estimates import Estimates
from bot.jobs.lifecycle import JobLifecycle
from bot.jobs.results import request_of
from bot.monitoring.invalid_requests import Restraint
from bot.storage.database import Database
from bot.storage.job import CancelReason, Job, JobState, StoredPicture
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Started
from generation.requests import Img2ImgRequest, Img2ImgResult
from tests.bot.jobs_made import PICTURE, make_job


class Discord:
    """Answers when the test lets it, and records what each status message was told."""

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
        """Wait until a status message has had this first line."""
        async with self._came:
            await self._came.wait_for(lambda: text in [told.partition("\n")[0] for _, told in self.told])

    def require_open(self, _job: Job) -> None:
        """Accept every channel."""

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
    """Screens finished pictures for as long as the test wants."""

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
    """Finishes every request; its last event is already on the way when somebody can cancel.

    The job ``failing`` runs out of memory. With ``is_lost`` it dies with its first request and does not come up again;
    with ``is_slow`` it runs until it is cancelled.
    """

    slots = 1

    def __init__(self) -> None:
        self.is_lost = self.is_slow = False
        self.failing: Job | None = None
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        """Start nothing."""

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
        """Stop nothing."""


class Scene:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.discord, self.results, self.executor = Discord(), Results(), Executor()
        self.jobs, self.spool = Jobs(database), Spool(folder)
        discord: Any = self.discord
        results: Any = self.results
        intake: Any = None  # no picture is prepared
        self.lifecycle = JobLifecycle(
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
        """Return a job that waits for the executor and can start at once."""
        job = make_job(input_sha256="", state=JobState.QUEUED)
        await self.jobs.accept(job)
        await self.spool.write(job.job_id, INPUT_FILENAME, b"a picture")
        await self.lifecycle.start_next_step(job)
        return job

    async def rendered(self) -> Job:
        """Return a job whose picture only has to be delivered."""
        job = make_job(state=JobState.RENDERED, rendered_at=1.0)
        await self.jobs.accept(job)
        return job

    def desk(self) -> JobDesk:
        delivery: Any = self.discord
        return JobDesk(self.lifecycle, jobs=self.jobs, spool=self.spool, delivery=delivery)

    async def set_disk(self, *, is_full: bool) -> None:
        """Make every write fail, or none."""
        connection = self.database._connection
        assert connection is not None
        await self.database._in_thread(lambda: connection.execute(f"PRAGMA query_only = {int(is_full)}"))

    def no_room_for_cancels(self) -> asyncio.Event:
        """Make storing a cancellation fail until the returned event is set."""
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
