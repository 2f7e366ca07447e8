"""Background steps of open jobs: a failing one is reported, and none starts after the end."""

import asyncio

from bot.jobs.open_jobs import OpenJobs
from bot.storage.job import Job, JobState
from tests.bot.jobs_made import make_job


class Broken:
    """Records the jobs whose step failed."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def hear(self, job: Job, reference: str) -> None:
        self.heard.append((job.job_id, reference))


async def test_a_step_that_breaks_is_told_of_with_its_reference() -> None:
    broken = Broken()
    jobs = OpenJobs(broken.hear)
    job = make_job()

    async def step() -> None:
        raise RuntimeError("a surprise")

    jobs.start_step(job, step())
    assert jobs[job.job_id] == job
    await jobs.close(grace_seconds=60)
    ((job_id, reference),) = broken.heard
    assert job_id == job.job_id
    assert len(reference) == 8


async def test_a_step_that_takes_too_long_is_left_to_the_next_start() -> None:
    broken = Broken()
    jobs = OpenJobs(broken.hear)
    ended = asyncio.Event()

    async def step() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    jobs.start_step(make_job(), step())
    await jobs.close(grace_seconds=0.01)
    assert ended.is_set()
    assert broken.heard == []


async def test_nothing_is_begun_after_the_end() -> None:
    broken = Broken()
    jobs = OpenJobs(broken.hear)
    begun: list[bool] = []

    async def step() -> None:
        begun.append(True)

    await jobs.close(grace_seconds=0)
    job = make_job()
    jobs.start_step(job, step())
    await jobs.close(grace_seconds=0)
    assert begun == []
    assert job.job_id in jobs


def test_open_jobs_are_counted_by_member_and_by_place() -> None:
    jobs = OpenJobs(Broken().hear)
    for requester_id, guild_id in ((1, 2), (1, 3), (4, 2), (4, None)):
        jobs.remember(make_job(requester_id=requester_id, guild_id=guild_id, state=JobState.QUEUED))
    assert jobs.count() == 4
    assert jobs.count(1) == 2
    assert jobs.count_in(2) == 2
    assert jobs.count_in(None) == 1
