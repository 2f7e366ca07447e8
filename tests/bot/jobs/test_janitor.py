"""Data past its time or over the size limit is deleted; open jobs are kept."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.jobs.janitor import Janitor
from bot.storage.database import Database
from bot.storage.job import Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble
from tests.bot.jobs_made import make_job
from tests.clock import Clock

HOUR, DAY = 3600, 86_400


class Place:
    """A database and a spool with jobs in them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.jobs = Jobs(database)
        self.spool = Spool(folder / "spool")

    async def add(self, state: JobState, settled_hours_ago: float | None = None) -> Job:
        settled_at = None if settled_hours_ago is None else time.time() - settled_hours_ago * HOUR
        job = make_job(state=state, settled_at=settled_at)
        await self.jobs.accept(job)
        await self.spool.write(job.job_id, INPUT_FILENAME, bytes(1000))
        await self.spool.write(job.job_id, "result.png", bytes(1000))
        return job

    def janitor(self, *, max_bytes: int = 10**9, **more: Any) -> Janitor:
        days = {"input_retention_hours": 72, "job_retention_days": 90}
        return Janitor(self.jobs, self.spool, max_bytes=max_bytes, **days, **more)

    async def kept(self, job: Job) -> tuple[bool, bool]:
        """Return whether a job's input and its result still exist."""
        return (
            await self.spool.exists(job.job_id, INPUT_FILENAME),
            await self.spool.exists(job.job_id, "result.png"),
        )


@pytest.fixture
def place(tmp_path: Path, database: Database) -> Place:
    return Place(database, tmp_path)


async def test_inputs_go_after_their_time_and_results_once_delivered(place: Place) -> None:
    fresh = await place.add(JobState.DELIVERED, 1)
    old = await place.add(JobState.DELIVERED, 73)
    await place.janitor().sweep()
    assert await place.kept(fresh) == (True, False)
    assert await place.kept(old) == (False, False)


async def test_what_a_killed_bot_has_left_of_a_job_that_was_given_up_goes(place: Place) -> None:
    given_up = await place.add(JobState.CANCELLED, 1)
    await place.janitor().sweep()
    assert await place.kept(given_up) == (False, False)


@pytest.mark.parametrize("state", [state for state in JobState if not state.is_settled])
async def test_open_jobs_are_never_touched(place: Place, state: JobState) -> None:
    job = await place.add(state)
    await place.janitor(max_bytes=0).sweep()
    assert await place.kept(job) == (True, True)


async def test_the_oldest_go_first_when_room_runs_out(place: Place) -> None:
    jobs = [await place.add(JobState.DELIVERED, 3 - number) for number in range(3)]
    await place.janitor(max_bytes=4500).sweep()
    assert [(await place.kept(job))[0] for job in jobs] == [False, True, True]


async def test_rows_are_forgotten_with_their_prompts(place: Place) -> None:
    forgotten = await place.add(JobState.DELIVERED, 91 * 24)
    kept = await place.add(JobState.DELIVERED, 89 * 24)
    await place.janitor().sweep()
    assert await place.jobs.get(forgotten.job_id) is None
    assert await place.jobs.get(kept.job_id) is not None


async def test_a_full_disk_is_given_room_although_no_row_can_be_deleted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def on_a_full_disk(_moment: float) -> int:
        raise StorageTrouble("SQLITE_FULL: database or disk is full")

    monkeypatch.setattr(place.jobs, "forget_settled_before", on_a_full_disk)
    old = await place.add(JobState.DELIVERED, 91 * 24)
    with pytest.raises(StorageTrouble):
        await place.janitor().sweep()
    assert await place.kept(old) == (False, False)


async def test_pictures_without_a_row_are_swept_away(place: Place) -> None:
    await place.spool.write("00000000000000000000", INPUT_FILENAME, b"x")
    await place.janitor().sweep()
    assert await place.spool.job_ids() == []


async def test_a_job_that_comes_while_the_janitor_looks_keeps_its_picture(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[Job] = []

    def then_comes(look: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def look_first() -> Any:
            seen = await look()
            came.append(await place.add(JobState.QUEUED))
            return seen

        return look_first

    monkeypatch.setattr(place.jobs, "unsettled", then_comes(place.jobs.unsettled))
    monkeypatch.setattr(place.spool, "job_ids", then_comes(place.spool.job_ids))
    await place.janitor().sweep()
    assert [await place.kept(job) for job in came] == [(True, True)] * 2


async def test_a_sweep_that_breaks_is_not_the_last(place: Place) -> None:
    sweeps: asyncio.Queue[str] = asyncio.Queue()

    async def sweep_more() -> None:
        sweeps.put_nowait("swept")
        raise RuntimeError("a surprise")

    janitor = place.janitor(sweep_more=sweep_more)
    sweeping = asyncio.create_task(janitor.run(interval_seconds=0))
    async with asyncio.timeout(600):
        assert [await sweeps.get() for _ in range(2)] == ["swept"] * 2
    sweeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweeping


async def test_a_clock_that_jumps_and_is_put_right_again_costs_nothing(place: Place) -> None:
    kept = await place.add(JobState.DELIVERED, 1)
    clock, steady = Clock(), Clock()
    clock.now = time.time()
    janitor = place.janitor(clock=clock, steady_clock=steady)
    for jump_days in (365, -365):
        clock.now += jump_days * DAY
        await janitor.sweep()
        clock.now -= jump_days * DAY
        await janitor.sweep()
        assert await place.jobs.get(kept.job_id) is not None
        assert (await place.kept(kept))[0]
    clock.now += 365 * DAY
    await janitor.sweep()
    await janitor.sweep()  # the clock stays changed: now its time is accepted
    assert await place.jobs.get(kept.job_id) is None
