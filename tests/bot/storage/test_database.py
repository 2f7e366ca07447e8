"""The real SQLite, on a real disk."""

import asyncio
import contextlib
import sqlite3
import sys
import textwrap
from pathlib import Path

import pytest

from bot.storage import migrations
from bot.storage.database import Database, DataInUse
from bot.storage.facts import Facts
from bot.storage.jobs import Jobs
from bot.storage.migrations import MIGRATIONS, DatabaseTooNew
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble, retry_on_storage_trouble
from tests.bot.jobs_made import make_job


async def test_one_folder_has_one_owner(tmp_path: Path) -> None:
    async with Database(tmp_path):
        with pytest.raises(DataInUse):
            await Database(tmp_path).__aenter__()
    async with Database(tmp_path):
        pass


async def test_what_is_committed_survives_a_kill(tmp_path: Path) -> None:
    """A process that is killed right after a commit returned has lost nothing, and its lock is released."""
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


async def test_a_failed_transaction_leaves_nothing(jobs: Jobs) -> None:
    job = make_job()
    await jobs.accept(job)
    with pytest.raises(sqlite3.IntegrityError):
        await jobs.accept(job)
    assert len(await jobs.unsettled()) == 1


async def test_durability_is_switched_on(database: Database) -> None:
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


async def test_a_migration_that_breaks_leaves_what_was_there_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    async with Database(tmp_path) as database:
        await Jobs(database).accept(job)
    more = ("CREATE TABLE first (a TEXT) STRICT;", "CREATE TABLE second (a TEXT) STRICT; CREATE TABLE jobs (a TEXT);")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, *more))
    for _start in range(2):
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            await Database(tmp_path).__aenter__()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, more[0]))
    async with Database(tmp_path) as database:
        tables = await database.select("SELECT name FROM sqlite_schema WHERE name IN ('first', 'second')")
        assert [row["name"] for row in tables] == ["first"]
        assert await Jobs(database).get(job.job_id) == job


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
    assert (kept.strengths, kept.strength_of_each) == ((), (job.strength,))  # there were no ladders yet


async def test_a_cancelled_caller_does_not_tear_a_transaction(jobs: Jobs) -> None:
    job = make_job()
    task = asyncio.create_task(jobs.accept(job))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await jobs.get(job.job_id) == job


async def test_facts_are_kept(database: Database) -> None:
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
        del opened["palimpsest.lock"]  # an empty file
        assert set(opened.values()) == {0}


async def test_what_is_written_at_the_same_moment_shares_a_commit(tmp_path: Path) -> None:
    commits: list[float] = []
    jobs_made = [make_job() for _ in range(50)]
    async with Database(tmp_path, observe_seconds=commits.append) as database:
        jobs = Jobs(database)
        await asyncio.gather(*(jobs.accept(job) for job in jobs_made))
        assert len(commits) < 10
        assert [job.job_id for job in await jobs.unsettled()] == [job.job_id for job in jobs_made]


async def test_one_that_goes_wrong_takes_none_of_the_others_along(jobs: Jobs) -> None:
    first, second, third = make_job(), make_job(), make_job()
    outcomes = await asyncio.gather(
        *(jobs.accept(job) for job in (first, second, first, third)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), sqlite3.IntegrityError, type(None)]
    assert len(await jobs.unsettled()) == 3


async def test_a_full_disk_is_said_and_heals(database: Database, jobs: Jobs) -> None:
    large = make_job(prompt="x" * 100_000)
    await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StorageTrouble):
        await jobs.accept(large)
    assert await jobs.unsettled() == []
    stored = asyncio.create_task(retry_on_storage_trouble(lambda: jobs.accept(large), first_delay_seconds=0.01))
    with pytest.raises(StorageTrouble):
        await jobs.accept(large)
    await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    await stored
    assert [job.job_id for job in await jobs.unsettled()] == [large.job_id]


async def test_a_read_only_database_is_said_and_heals(database: Database, jobs: Jobs) -> None:
    job = make_job()
    connection = await database.run(lambda connection: connection)

    async def set_query_only(value: str) -> None:  # only the database's own thread may use the connection
        await database._in_thread(lambda: connection.execute(f"PRAGMA query_only = {value}"))

    await set_query_only("ON")
    with pytest.raises(StorageTrouble, match="READONLY"):
        await jobs.accept(job)
    await set_query_only("OFF")
    await jobs.accept(job)
    assert await jobs.get(job.job_id) == job


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit files")
async def test_a_log_that_finds_no_room_in_the_database_is_said_and_heals(database: Database, jobs: Jobs) -> None:
    import resource

    for _ in range(100):
        await jobs.accept(make_job(prompt="x" * 2000))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, usual[1]))
    try:
        with pytest.raises(StorageTrouble):
            await database.empty_log()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert await database.empty_log()
    assert len(await jobs.unsettled()) == 100


async def test_nobody_waits_for_a_reader_of_an_earlier_state(database: Database, jobs: Jobs, tmp_path: Path) -> None:
    """A backup reads for a long time, and requests must be answered within three seconds all the same."""
    connection = await database.run(lambda connection: connection)
    await database._in_thread(lambda: connection.execute("PRAGMA busy_timeout = 600000"))
    await jobs.accept(make_job())
    with contextlib.closing(sqlite3.connect(tmp_path / "palimpsest.sqlite3", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        await jobs.accept(make_job())
        async with asyncio.timeout(60):
            assert not await database.empty_log()
    assert await database.empty_log()
    assert await database._in_thread(lambda: connection.execute("PRAGMA busy_timeout").fetchone()[0]) == 600000


async def test_a_file_that_another_process_holds_is_waited_for_once_and_not_by_each_in_turn(
    database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    statements: list[str] = []
    connection = await database.run(lambda connection: connection)
    await database._in_thread(lambda: connection.execute("PRAGMA busy_timeout = 0"))
    await database._in_thread(lambda: connection.set_trace_callback(statements.append))
    jobs_made = [make_job() for _ in range(50)]
    with contextlib.closing(sqlite3.connect(tmp_path / "palimpsest.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(*(jobs.accept(job) for job in jobs_made), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StorageTrouble}
    assert statements.count("BEGIN IMMEDIATE") < 10
    await jobs.accept(jobs_made[0])
    assert len(await jobs.unsettled()) == 1


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageTrouble, match="Not a directory"):
        await Database(tmp_path / "file" / "data").__aenter__()
    with pytest.raises(StorageTrouble):
        await Spool(tmp_path / "file").write("A", INPUT_FILENAME, b"1")


async def test_a_mistake_in_a_statement_is_no_trouble_of_the_disk(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
