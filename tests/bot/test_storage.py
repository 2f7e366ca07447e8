"""The real SQLite, on a real disk."""

import asyncio
import sqlite3
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from bot.storage.database import Database, DataInUse
from bot.storage.facts import Facts
from bot.storage.job import JobState
from bot.storage.jobs import TRANSITIONS, Jobs
from bot.storage.migrations import MIGRATIONS, DatabaseTooNew
from bot.storage.spool import INPUT_FILENAME, Spool
from tests.bot.jobs_made import PICTURE, make_job


async def test_a_job_comes_back_from_its_row_as_it_was_written(tmp_path: Path) -> None:
    job = make_job(spoiler=True, prompt="naïve “quotes” 🐈", seed=2**32 - 1, guild_id=None)
    async with Database(tmp_path) as database:
        await Jobs(database).accept(job)
    async with Database(tmp_path) as database:
        assert await Jobs(database).get(job.job_id) == job


async def test_the_whole_way_of_a_job(tmp_path: Path) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        await jobs.accept(job)
        queued = await jobs.promise(job.job_id, "ab" * 32)
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
        assert [timed.seconds for timed in await jobs.last_measured("demo")] == [1.5]


@pytest.mark.parametrize("state", list(JobState))
async def test_only_the_ways_of_the_table_can_be_gone(tmp_path: Path, state: JobState) -> None:
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        moves = {
            JobState.QUEUED: lambda job_id: jobs.promise(job_id, ""),
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


async def test_one_folder_has_one_owner(tmp_path: Path) -> None:
    async with Database(tmp_path):
        with pytest.raises(DataInUse):
            await Database(tmp_path).__aenter__()
    async with Database(tmp_path):
        pass


async def test_what_is_committed_survives_a_kill(tmp_path: Path) -> None:
    """A process that is killed right after the commit returned has lost nothing, and its lock is free."""
    script = textwrap.dedent(
        """
        import asyncio, pathlib, sys
        from bot.storage.database import Database
        from bot.storage.jobs import Jobs
        from tests.bot.jobs_made import make_job

        async def main():
            async with Database(pathlib.Path(sys.argv[1])) as database:
                for _ in range(20):
                    job = make_job()
                    await Jobs(database).accept(job)
                    print(job.job_id, flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    promised = [(await process.stdout.readline()).decode().strip() for _ in range(20)]
    process.kill()
    await process.wait()
    async with Database(tmp_path) as database:
        assert [job.job_id for job in await Jobs(database).unsettled()] == promised
        rows = await database.run(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
        assert [tuple(row) for row in rows] == [("ok",)]


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        await jobs.accept(job)
        with pytest.raises(sqlite3.IntegrityError):
            await jobs.accept(job)
        assert len(await jobs.unsettled()) == 1


async def test_durability_is_switched_on(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:

        def pragmas(connection: sqlite3.Connection) -> tuple[object, ...]:
            names = ("journal_mode", "synchronous", "user_version")
            return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)

        assert await database.run(pragmas) == ("wal", 2, len(MIGRATIONS))


async def test_a_database_from_the_future_is_left_alone(tmp_path: Path) -> None:
    async with Database(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "palimpsest.sqlite3") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(DatabaseTooNew):
        await Database(tmp_path).__aenter__()


async def test_a_row_from_before_samplers_ran_as_diffusers_has_it(tmp_path: Path) -> None:
    job = make_job()
    before = next(number for number, script in enumerate(MIGRATIONS) if "strength_schedule" in script)
    with sqlite3.connect(tmp_path / "palimpsest.sqlite3") as connection:
        for script in MIGRATIONS[:before]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {before}")
        columns = [name for (_, name, *_) in connection.execute("PRAGMA table_info(jobs)")]
        values = {name: getattr(job, name) for name in columns} | {"pictures": "[]", "failure_data": "{}"}
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})", tuple(values.values()))
    connection.close()
    async with Database(tmp_path) as database:
        kept = await Jobs(database).get(job.job_id)
    assert kept is not None
    assert (kept.sampler, kept.strength_schedule, kept.prompt) == ("own", "index", job.prompt)


async def test_a_cancelled_caller_does_not_tear_a_transaction(tmp_path: Path) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        task = asyncio.create_task(Jobs(database).accept(job))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Jobs(database).get(job.job_id) == job


async def test_facts_are_kept(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        facts = Facts(database)
        assert await facts.get("colour") is None
        await facts.set("colour", "red")
        await facts.set("colour", "blue")
        assert await facts.get("colour") == "blue"


async def test_the_spool_keeps_and_forgets(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert await spool.job_ids() == []
    await spool.write("B", INPUT_FILENAME, b"12345")
    await spool.write("B", "result.png", b"678")
    await spool.write("A", INPUT_FILENAME, b"9")
    assert await spool.job_ids() == ["A", "B"]
    assert await spool.size_bytes() == 9
    assert await spool.read("B", "result.png") == b"678"
    await spool.delete("B", keep=INPUT_FILENAME)
    assert not await spool.exists("B", "result.png")
    assert await spool.read("B", INPUT_FILENAME) == b"12345"
    await spool.delete("B")
    with pytest.raises(FileNotFoundError):
        await spool.read("B", INPUT_FILENAME)
    await spool.delete("never there")
