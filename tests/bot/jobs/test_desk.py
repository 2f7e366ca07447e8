"""How jobs are found by their messages, which deliveries are waited for, and that a broken queue is reported."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.jobs import open_jobs
from bot.jobs.desk import JobDesk
from bot.jobs.open_jobs import OpenJobs
from bot.storage.database import Database
from bot.storage.job import Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import Spool
from tests.bot.jobs_made import make_job

RESULT, HERE, ELSEWHERE = 9, 3, 4


class Scene:
    """A desk, with deliveries that take as long as the test wants."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._background: list[Coroutine[Any, Any, None]] = []
        self.jobs = Jobs(database)
        self.open = OpenJobs(self._broke)
        self.told: asyncio.Queue[Job] = asyncio.Queue()
        lifecycle: Any = SimpleNamespace(
            open=self.open,
            service=SimpleNamespace(run=self._serve),
            progress=None,
            notifier=None,
            endings=SimpleNamespace(
                message_deleted=self._nobody_asked_in,
                show_end=self.told.put,
                in_background=self._background.append,
            ),
        )
        delivery: Any = None
        self.desk = JobDesk(lifecycle, jobs=self.jobs, spool=Spool(folder), delivery=delivery)
        self.arrived = asyncio.Event()

    async def deliver(self, **changes: Any) -> Job:
        """Start a delivery."""
        job = make_job(state=JobState.RENDERED, **changes)
        await self.jobs.accept(job)
        self.open.start_step(job, self._delivered(job))
        return job

    async def _delivered(self, job: Job) -> None:
        await self.arrived.wait()
        await self.jobs.deliver(job.job_id, RESULT)
        self.open.forget(job.job_id)

    async def _nobody_asked_in(self, _message_id: int) -> None:
        """Do nothing: the message is not a request."""

    async def _serve(self) -> None:
        await self.arrived.wait()
        raise RuntimeError("a surprise")

    async def show_what_is_to_be_told(self) -> None:
        await asyncio.gather(*self._background)

    async def _broke(self, _job: Job, _reference: str) -> None:
        raise AssertionError("nothing breaks here")


@pytest.fixture
async def scene(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(open_jobs, "_DELIVERY_SECONDS", 600.0)  # so long that waiting for the wrong delivery is noticed
    scene = Scene(database, tmp_path)
    yield scene
    await scene.open.close(grace_seconds=0)


async def test_a_result_is_found_before_its_row_knows_of_it(scene: Scene) -> None:
    job = await scene.deliver(channel_id=HERE)
    finding = asyncio.create_task(scene.desk.find_by_message(RESULT, HERE))
    await asyncio.sleep(0)
    scene.arrived.set()
    found = await finding
    assert found is not None
    assert (found.job_id, found.state) == (job.job_id, JobState.DELIVERED)


async def test_a_delivery_of_another_job_keeps_nobody_waiting(scene: Scene) -> None:
    await scene.deliver(channel_id=HERE, status_message_id=None)
    done = make_job(state=JobState.DELIVERED, channel_id=HERE, result_message_id=5)
    await scene.jobs.accept(done)
    async with asyncio.timeout(60):
        found = await scene.desk.find_by_message(5, HERE)
        assert found is not None
        assert found.job_id == done.job_id
        assert await scene.desk.find_by_message(6, ELSEWHERE) is None
        assert await scene.desk.find_by_message(5, ELSEWHERE) is None  # forwarded to another channel


async def test_a_result_that_is_deleted_before_its_row_knows_of_it_is_not_announced(scene: Scene) -> None:
    job = await scene.deliver(channel_id=HERE)
    hearing = asyncio.create_task(scene.desk.message_deleted(RESULT, HERE))
    await asyncio.sleep(0)
    scene.arrived.set()
    await hearing
    row = await scene.jobs.get(job.job_id)
    assert row is not None
    assert (row.state, row.result_message_id) == (JobState.DELIVERED, None)
    await scene.show_what_is_to_be_told()
    assert (await scene.told.get()).result_message_id is None


async def test_a_queue_that_breaks_is_no_secret(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.desk.start()
    assert scene.desk.is_serving
    (serving,) = [task for task in asyncio.all_tasks() if task.get_name() == "generation service"]
    scene.arrived.set()
    await serving
    assert not scene.desk.is_serving
    assert "nothing is painted until the bot is restarted" in caplog.text
