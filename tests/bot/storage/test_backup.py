"""A backup is made while the bot writes, and a restored bot continues where it was."""

import asyncio
import contextlib
import errno
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bot.main import main
from bot.storage.backup import BackupRefused, back_up, restore
from bot.storage.database import DATABASE_NAME, Database
from bot.storage.facts import Facts
from bot.storage.job import JobState
from bot.storage.jobs import Jobs
from bot.storage.migrations import MIGRATIONS
from bot.storage.spool import INPUT_FILENAME, Spool
from tests.bot.jobs_made import make_job
from tests.mounts import OWN_MOUNTS, needs_mounts


async def add_job(jobs: Jobs, spool: Spool) -> str:
    job = make_job()
    await jobs.accept(job)
    await spool.write(job.job_id, INPUT_FILENAME, job.job_id.encode())
    await jobs.enqueue(job.job_id, "")
    return job.job_id


async def test_a_live_database_is_copied_whole_and_the_copy_goes_on(tmp_path: Path) -> None:
    live, restored, file = tmp_path / "live", tmp_path / "restored", tmp_path / "backup.tar"
    spool = Spool(live / "spool")
    async with Database(live) as database:
        jobs = Jobs(database)
        before = [await add_job(jobs, spool) for _ in range(5)]
        backing_up = asyncio.create_task(asyncio.to_thread(back_up, live, file))
        while not backing_up.done():  # the bot keeps writing
            await add_job(jobs, spool)
        assert await backing_up == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    restore(file, restored)
    assert stat.S_IMODE((restored / DATABASE_NAME).stat().st_mode) == 0o600
    async with Database(restored) as database:
        jobs, spool = Jobs(database), Spool(restored / "spool")
        open_jobs = await jobs.unsettled()
        assert [job.job_id for job in open_jobs][:5] == before
        for job in open_jobs:
            if job.state is JobState.QUEUED:  # it was promised, so its picture is there
                assert await spool.read(job.job_id, INPUT_FILENAME) == job.job_id.encode()
        assert await jobs.begin(before[0], 1) is not None
    assert {path.name for path in restored.iterdir()} <= {"palimpsest.sqlite3", "palimpsest.lock", "spool"}


async def test_the_command_line_of_a_stopped_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Database(tmp_path / "old") as database:
        job_id = await add_job(Jobs(database), Spool(tmp_path / "old" / "spool"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "old"))
    assert main(["backup", str(tmp_path / "b.tar")]) == 0
    assert main(["backup", str(tmp_path / "b.tar")]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "b.tar")]) == 2
    assert "already contains a database" in capsys.readouterr().err
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert main(["restore", str(tmp_path / "b.tar")]) == 0
    async with Database(tmp_path / "new") as database:
        assert await Jobs(database).get(job_id) is not None


async def test_a_pipe_will_do(tmp_path: Path) -> None:  # into and out of a container
    def command(name: str, data_dir: Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "DATA_DIR": str(data_dir)}
        return subprocess.run(
            [sys.executable, "-m", "bot", name, "-"], input=data, env=environment, capture_output=True, check=False
        )

    async with Database(tmp_path / "old") as database:
        job_id = await add_job(Jobs(database), Spool(tmp_path / "old" / "spool"))
        backup = command("backup", tmp_path / "old")
    assert backup.returncode == 0, backup.stderr
    assert sorted(os.listdir(tmp_path / "old")) == ["palimpsest.lock", DATABASE_NAME, "spool"]
    restored = command("restore", tmp_path / "new", backup.stdout)
    assert restored.returncode == 0, restored.stderr
    assert await Spool(tmp_path / "new" / "spool").read(job_id, INPUT_FILENAME) == job_id.encode()
    refused = command("restore", tmp_path / "none", backup.stdout[:3000])
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert list((tmp_path / "none").iterdir()) == []


def back_up_to_a_small_disk(data_dir: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"mount -t tmpfs -o size=64k tmpfs {folder}; {sys.executable} -m bot backup {folder}/b.tar; ls -A {folder}"
    environment = {**os.environ, "DATA_DIR": str(data_dir)}
    command = [*OWN_MOUNTS, "sh", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@needs_mounts
async def test_a_disk_that_is_full_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    async with Database(tmp_path / "old") as database:
        await add_job(Jobs(database), Spool(tmp_path / "old" / "spool"))
    small = tmp_path / "small"
    small.mkdir()
    done = back_up_to_a_small_disk(tmp_path / "old", small)
    assert done.stderr == f"The backup failed: {os.strerror(errno.ENOSPC)} ({small}/b.tar)\n"
    assert done.stdout == ""


async def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="no database"):
        back_up(tmp_path, tmp_path / "b.tar")
    with pytest.raises(BackupRefused, match="no file"):
        restore(tmp_path / "b.tar", tmp_path / "data")
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database" * 1000)
    with pytest.raises(BackupRefused, match="cannot be copied"):
        back_up(tmp_path, tmp_path / "b.tar")
    (tmp_path / "b.tar").write_bytes(b"not a tar file" * 1000)
    with pytest.raises(BackupRefused, match="damaged"):
        restore(tmp_path / "b.tar", tmp_path / "data")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(BackupRefused, match="not a backup"):
        restore(tmp_path / "empty.tar", tmp_path / "data")
    async with Database(tmp_path / "data"):
        with pytest.raises(BackupRefused, match="stop it first"):
            restore(tmp_path / "b.tar", tmp_path / "data")


async def test_a_disk_without_room_for_more_is_not_called_a_damaged_backup(tmp_path: Path) -> None:
    async with Database(tmp_path / "old"):
        pass
    back_up(tmp_path / "old", tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "a") as tar:  # SQLite cannot create its own file then, as on a full disk
        place = tarfile.TarInfo(f"{DATABASE_NAME}-wal")
        place.type, place.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(place)
    restore(tmp_path / "b.tar", tmp_path / "new")
    async with Database(tmp_path / "new"):
        pass


async def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with Database(tmp_path / "old"):
        pass
    back_up(tmp_path / "old", tmp_path / "b.tar")
    async with Database(tmp_path / "old") as database:
        version = len(MIGRATIONS) + 1
        await database.run(lambda connection: connection.execute(f"PRAGMA user_version = {version}"))
    with pytest.raises(BackupRefused, match="newer version"):
        back_up(tmp_path / "old", tmp_path / "c.tar")
    assert not (tmp_path / "c.tar").exists()


async def test_what_a_killed_bot_has_left_is_never_mixed_with_what_is_restored(tmp_path: Path) -> None:
    """SQLite would apply a deleted database's log to the one that replaces it, and consider the result intact."""
    async with Database(tmp_path / "old"):
        pass
    back_up(tmp_path / "old", tmp_path / "b.tar")
    async with Database(tmp_path / "old") as database:
        await Facts(database).set("colour", "red")
        (tmp_path / "left").mkdir()
        (tmp_path / "left" / f"{DATABASE_NAME}-wal").write_bytes(
            (tmp_path / "old" / f"{DATABASE_NAME}-wal").read_bytes()
        )
    with pytest.raises(BackupRefused, match="already contains a database"):
        restore(tmp_path / "b.tar", tmp_path / "left")


async def test_a_bot_that_starts_while_a_backup_is_unpacked_keeps_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database(tmp_path / "old"):
        pass
    back_up(tmp_path / "old", tmp_path / "b.tar")
    async with contextlib.AsyncExitStack() as started:
        loop = asyncio.get_running_loop()

        def unpack(tar: tarfile.TarFile, *arguments: Any, **options: Any) -> None:
            usual(tar, *arguments, **options)
            start = started.enter_async_context(Database(tmp_path / "new"))
            asyncio.run_coroutine_threadsafe(start, loop).result()

        usual = tarfile.TarFile.extractall
        monkeypatch.setattr(tarfile.TarFile, "extractall", unpack)
        with pytest.raises(BackupRefused, match="stop it first"):
            await asyncio.to_thread(restore, tmp_path / "b.tar", tmp_path / "new")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such call for folders and needs none")
def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """System calls are observed, because nothing else shows whether a power cut would leave an empty file."""

    async def fill() -> None:
        async with Database(tmp_path / "old") as database:
            await add_job(Jobs(database), Spool(tmp_path / "old" / "spool"))

    asyncio.run(fill())
    synced: set[int] = set()
    named: list[str] = []

    def sync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        usual_sync(descriptor)

    def replace(path: Path, target: Path) -> None:
        assert path.stat().st_ino in synced
        if target.name == DATABASE_NAME:
            spool = target.parent / "spool"
            assert all(each.stat().st_ino in synced for each in (spool, *spool.rglob("*")))
        usual_replace(path, target)
        synced.discard(target.parent.stat().st_ino)
        named.append(target.name)

    usual_sync, usual_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    back_up(tmp_path / "old", tmp_path / "b.tar")
    assert tmp_path.stat().st_ino in synced
    restore(tmp_path / "b.tar", tmp_path / "new")
    assert (tmp_path / "new").stat().st_ino in synced
    assert named == ["b.tar", INPUT_FILENAME, DATABASE_NAME]
