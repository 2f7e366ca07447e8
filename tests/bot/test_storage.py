"""The real SQLite, on a real disk."""

import asyncio
import shutil
import sqlite3
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from bot.monitoring.metrics import Metrics
from bot.storage.database import Database, DataInUse
from bot.storage.facts import Facts
from bot.storage.job import JobState
from bot.storage.jobs import TRANSITIONS, Jobs
from bot.storage.migrations import MIGRATIONS, DatabaseTooNew
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble, once_stored
from generation.job_id import new_job_id
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


async def test_nothing_on_the_way_of_a_request_looks_at_every_row(tmp_path: Path) -> None:
    """All transactions share one thread: what grows with the rows would keep acknowledgements waiting."""
    statements: list[str] = []
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        job = make_job()
        await jobs.accept(job)
        await database.run(lambda connection: connection.set_trace_callback(statements.append))
        await jobs.promise(job.job_id, "")
        await jobs.set_status_message(job.job_id, 5)
        await jobs.get(job.job_id)
        await jobs.by_message(5)
        await jobs.of_requester_since(job.requester_id, 0)
        await jobs.unsettled()
        await jobs.with_end_to_show()
        await database.run(lambda connection: connection.set_trace_callback(None))
        asked = [statement for statement in statements if statement.startswith(("SELECT", "UPDATE"))]
        assert len(asked) == 7
        for statement in asked:
            plan = await database.select(f"EXPLAIN QUERY PLAN {statement}")
            assert not [step["detail"] for step in plan if step["detail"].startswith("SCAN")], statement


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
        values = {name: getattr(job, name, 0) for name in columns} | {"pictures": "[]", "failure_data": "{}"}
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


def rights_of_others(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps people apart by other means")
async def test_prompts_and_pictures_are_for_the_bots_own_account(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        await Facts(database).set("colour", "red")
        await Spool(tmp_path / "spool").write("A", INPUT_FILENAME, b"1")
        opened = rights_of_others(tmp_path)
        assert len([name for name in opened if name.startswith("palimpsest.sqlite3")]) == 3
        del opened["palimpsest.lock"]  # empty
        assert set(opened.values()) == {0}


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


async def test_a_job_that_is_given_up_while_its_picture_is_written_is_no_trouble_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[str] = []

    def give_up(path: Path) -> None:
        if not given_up:
            given_up.append(path.name)
            shutil.rmtree(path.parent)

    usual = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, target: (give_up(path), usual(path, target))[1])
    spool = Spool(tmp_path)
    await spool.write("A", INPUT_FILENAME, b"12345")
    assert given_up
    assert await spool.read("A", INPUT_FILENAME) == b"12345"  # for whoever writes to delete: they hear of it next


async def test_what_is_written_at_the_same_moment_shares_a_commit(tmp_path: Path) -> None:
    commits: list[float] = []
    jobs_made = [make_job() for _ in range(50)]
    async with Database(tmp_path, observe_seconds=commits.append) as database:
        jobs = Jobs(database)
        await asyncio.gather(*(jobs.accept(job) for job in jobs_made))
        assert len(commits) < 10
        assert [job.job_id for job in await jobs.unsettled()] == [job.job_id for job in jobs_made]


async def test_one_that_goes_wrong_takes_none_of_the_others_along(tmp_path: Path) -> None:
    first, second, third = make_job(), make_job(), make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        outcomes = await asyncio.gather(
            *(jobs.accept(job) for job in (first, second, first, third)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), type(None), sqlite3.IntegrityError, type(None)]
        assert len(await jobs.unsettled()) == 3


async def test_a_full_disk_is_said_and_heals(tmp_path: Path) -> None:
    large = make_job(prompt="x" * 100_000)
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(StorageTrouble):
            await jobs.accept(large)
        assert await jobs.unsettled() == []
        stored = asyncio.create_task(once_stored(lambda: jobs.accept(large), first_delay_seconds=0.01))
        with pytest.raises(StorageTrouble):
            await jobs.accept(large)
        await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
        await stored
        assert [job.job_id for job in await jobs.unsettled()] == [large.job_id]


async def test_a_read_only_database_is_said_and_heals(tmp_path: Path) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        connection = await database.run(lambda connection: connection)

        async def set_query_only(value: str) -> None:  # the only thread that may use the connection is its own
            await database._in_thread(lambda: connection.execute(f"PRAGMA query_only = {value}"))

        await set_query_only("ON")
        with pytest.raises(StorageTrouble, match="READONLY"):
            await jobs.accept(job)
        await set_query_only("OFF")
        await jobs.accept(job)
        assert await jobs.get(job.job_id) == job


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageTrouble, match="Not a directory"):
        await Database(tmp_path / "file" / "data").__aenter__()
    with pytest.raises(StorageTrouble):
        await Spool(tmp_path / "file").write("A", INPUT_FILENAME, b"1")


async def test_a_mistake_in_a_statement_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await database.run(lambda connection: connection.execute("SELECT * FROM nowhere"))


async def test_deaths_of_the_bot_are_counted_for_what_was_running(tmp_path: Path) -> None:
    running, waiting = make_job(), make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        for job in (running, waiting):
            await jobs.accept(job)
            await jobs.promise(job.job_id, "")
        await jobs.begin(running.job_id, 1)
        await jobs.count_unclean_death()
        assert [(job.attempt, job.unclean_deaths) for job in await jobs.unsettled()] == [(1, 1), (0, 0)]


async def test_an_end_is_to_be_shown_until_it_was(tmp_path: Path) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        await jobs.accept(job)
        assert await jobs.with_end_to_show() == []
        cancelled = await jobs.cancel(job.job_id)
        assert await jobs.with_end_to_show() == [cancelled]
        await jobs.note_end_shown(job.job_id)
        assert await jobs.with_end_to_show() == []


async def test_a_clock_that_is_set_back_leaves_the_order(tmp_path: Path) -> None:
    first = make_job(job_id=new_job_id(2_000_000_000))
    second = make_job(job_id=new_job_id(1_000_000_000))
    async with Database(tmp_path) as database:
        jobs = Jobs(database)
        await jobs.accept(first)
        await jobs.accept(second)
        assert await jobs.unsettled() == [first, second]


@pytest.mark.parametrize("jump_seconds", [3600.0, -3600.0, 10 * 365 * 86400.0])
async def test_a_clock_that_jumps_in_the_middle_of_a_jobs_life_hinders_nothing(
    tmp_path: Path, jump_seconds: float
) -> None:
    now = [2_000_000_000.0]
    job = make_job(accepted_at=now[0])
    async with Database(tmp_path) as database:
        jobs = Jobs(database, clock=lambda: now[0])
        await jobs.accept(job)
        steps = (
            lambda: jobs.promise(job.job_id, ""),
            lambda: jobs.begin(job.job_id, 1),
            lambda: jobs.render(job.job_id, [PICTURE], 1.0),
            lambda: jobs.deliver(job.job_id, 9),
        )
        for step in steps:
            now[0] += jump_seconds
            assert await step() is not None
        delivered = await jobs.get(job.job_id)
        assert delivered is not None
        Metrics().settled(delivered)  # no time is negative there
