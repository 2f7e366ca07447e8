"""The rows of jobs, and the transitions between their states."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.monitoring.metrics import Metrics
from bot.storage.database import Database
from bot.storage.job import JobState
from bot.storage.jobs import TRANSITIONS, Jobs
from generation.job_id import new_job_id
from tests.bot.jobs_made import PICTURE, make_job
from tests.clock import Clock


async def test_a_job_comes_back_from_its_row_as_it_was_written(tmp_path: Path) -> None:
    job = make_job(spoiler=True, prompt="naïve “quotes” 🐈", seed=2**32 - 1, guild_id=None)
    async with Database(tmp_path) as database:
        await Jobs(database).accept(job)
    async with Database(tmp_path) as database:
        assert await Jobs(database).get(job.job_id) == job


async def test_the_whole_way_of_a_job(jobs: Jobs) -> None:
    job = make_job()
    await jobs.accept(job)
    queued = await jobs.enqueue(job.job_id, "ab" * 32)
    assert queued is not None
    assert queued.state is JobState.QUEUED
    assert queued.input_sha256 == "ab" * 32
    running = await jobs.begin(job.job_id, 1)
    assert running is not None
    assert (running.state, running.attempt) == (JobState.RUNNING, 1)
    rendered = await jobs.render(job.job_id, [PICTURE], 1.5)
    assert rendered is not None
    assert rendered.pictures == (PICTURE,)
    assert [open_job.job_id for open_job in await jobs.unsettled()] == [job.job_id]
    delivered = await jobs.deliver(job.job_id, 99)
    assert delivered is not None
    assert (delivered.state, delivered.result_message_id) == (JobState.DELIVERED, 99)
    assert delivered.settled_at is not None
    assert await jobs.unsettled() == []
    assert [timed.seconds for timed in await jobs.last_measured("demo", 20)] == [1.5]


@pytest.mark.parametrize("state", list(JobState))
async def test_only_the_ways_of_the_table_can_be_gone(jobs: Jobs, state: JobState) -> None:
    moves = {
        JobState.QUEUED: lambda job_id: jobs.enqueue(job_id, ""),
        JobState.RUNNING: lambda job_id: jobs.begin(job_id, 1),
        JobState.RENDERED: lambda job_id: jobs.render(job_id, [], 1.0),
        JobState.DELIVERED: lambda job_id: jobs.deliver(job_id, 1),
        JobState.FAILED: lambda job_id: jobs.fail(job_id, "internal", "", {}),
        JobState.CANCELLED: jobs.cancel,
        JobState.EXPIRED: lambda job_id: jobs.expire(job_id, "gone"),
    }
    for target, move in moves.items():
        job = replace(make_job(), state=state)
        await jobs.accept(job)
        moved = await move(job.job_id)
        stored = await jobs.get(job.job_id)
        assert stored is not None
        if state in TRANSITIONS[target]:
            assert moved == stored
            assert stored.state is target
        else:
            assert moved is None
            assert stored.state is state


def test_settled_states_lead_nowhere() -> None:
    origins = frozenset[JobState]().union(*TRANSITIONS.values())
    assert {state for state in JobState if state.is_settled} == set(JobState) - origins


async def test_nothing_on_the_way_of_a_request_looks_at_every_row(database: Database, jobs: Jobs) -> None:
    """All transactions share one thread: a full scan would delay acknowledgements more with every row."""
    statements: list[str] = []
    job = make_job()
    await jobs.accept(job)
    await database.run(lambda connection: connection.set_trace_callback(statements.append))
    await jobs.enqueue(job.job_id, "")
    await jobs.set_status_message(job.job_id, 5)
    await jobs.get(job.job_id)
    await jobs.by_message(5)
    await jobs.by_request(job.requester_id, 5)
    await jobs.of_requester_since(job.requester_id, 0)
    await jobs.unsettled()
    await jobs.with_end_to_show()
    await database.run(lambda connection: connection.set_trace_callback(None))
    asked = [statement for statement in statements if statement.startswith(("SELECT", "UPDATE"))]
    assert len(asked) == 8
    for statement in asked:
        plan = await database.select(f"EXPLAIN QUERY PLAN {statement}")
        assert not [step["detail"] for step in plan if step["detail"].startswith("SCAN")], statement


async def test_deaths_of_the_bot_are_counted_for_what_was_running(jobs: Jobs) -> None:
    running, waiting = make_job(), make_job()
    for job in (running, waiting):
        await jobs.accept(job)
        await jobs.enqueue(job.job_id, "")
    await jobs.begin(running.job_id, 1)
    await jobs.count_unclean_death()
    assert [(job.attempt, job.unclean_deaths) for job in await jobs.unsettled()] == [(1, 1), (0, 0)]


async def test_an_end_is_to_be_shown_until_it_was(jobs: Jobs) -> None:
    job = make_job()
    await jobs.accept(job)
    assert await jobs.with_end_to_show() == []
    cancelled = await jobs.cancel(job.job_id)
    assert await jobs.with_end_to_show() == [cancelled]
    await jobs.note_end_shown(job)
    assert await jobs.with_end_to_show() == []


async def test_that_a_result_is_gone_is_an_end_to_be_shown_as_well(jobs: Jobs) -> None:
    delivered, cancelled = make_job(state=JobState.DELIVERED, settled_at=1.0, result_message_id=9), make_job()
    for job in (delivered, cancelled):
        await jobs.accept(job)
    await jobs.cancel(cancelled.job_id)
    for job in (delivered, cancelled):
        await jobs.note_end_shown(job)
        await jobs.note_result_gone(job.job_id)
    (shown,) = await jobs.with_end_to_show()
    assert (shown.job_id, shown.result_message_id) == (delivered.job_id, None)
    await jobs.note_end_shown(delivered)  # the earlier end was still being shown
    assert await jobs.with_end_to_show() == [shown]
    await jobs.note_end_shown(shown)
    assert await jobs.with_end_to_show() == []


async def test_what_a_newer_version_knew_of_a_picture_keeps_no_older_one_from_its_start(
    database: Database, jobs: Jobs
) -> None:
    job = make_job(state=JobState.RUNNING)
    await jobs.accept(job)
    await jobs.render(job.job_id, [PICTURE], 1.5)
    await database.execute("UPDATE jobs SET pictures = json_set(pictures, '$[0].mood', 'serene')")
    (unsettled,) = await jobs.unsettled()
    assert unsettled.pictures == (PICTURE,)


async def test_a_clock_that_is_set_back_leaves_the_order(jobs: Jobs) -> None:
    first = make_job(job_id=new_job_id(2_000_000_000))
    second = make_job(job_id=new_job_id(1_000_000_000))
    await jobs.accept(first)
    await jobs.accept(second)
    assert await jobs.unsettled() == [first, second]


@pytest.mark.parametrize("jump_seconds", [3600.0, -3600.0, 10 * 365 * 86400.0])
async def test_a_clock_that_jumps_in_the_middle_of_a_jobs_life_hinders_nothing(
    database: Database, jump_seconds: float
) -> None:
    clock = Clock()
    clock.now = 2_000_000_000.0
    job = make_job(accepted_at=clock.now)
    jobs = Jobs(database, clock=clock)
    await jobs.accept(job)
    steps = (
        lambda: jobs.enqueue(job.job_id, ""),
        lambda: jobs.begin(job.job_id, 1),
        lambda: jobs.render(job.job_id, [PICTURE], 1.0),
        lambda: jobs.deliver(job.job_id, 9),
    )
    for step in steps:
        clock.now += jump_seconds
        assert await step() is not None
    delivered = await jobs.get(job.job_id)
    assert delivered is not None
    Metrics().settled(delivered)  # no duration is negative there
