"""The pictures of jobs, on a real disk."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from bot.storage.spool import INPUT_FILENAME, Spool


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
    # The caller deletes it: it learns of the cancellation next.
    assert await spool.read("A", INPUT_FILENAME) == b"12345"


async def test_a_folder_that_is_deleted_while_it_is_looked_for_is_no_trouble_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    await spool.write("A", "result.png", b"678")
    usual = os.mkdir

    def was_there(path: Path, mode: int) -> None:
        try:
            usual(path, mode)
        except FileExistsError:
            shutil.rmtree(path)
            raise

    monkeypatch.setattr(os, "mkdir", was_there)
    await spool.write("A", INPUT_FILENAME, b"12345")
    assert await spool.read("A", INPUT_FILENAME) == b"12345"
    assert not await spool.exists("A", "result.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such call for folders and needs none")
async def test_every_folder_on_the_way_to_the_first_picture_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """System calls are observed, because nothing else shows what a power cut would leave."""
    synced: set[int] = set()
    usual = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.add(os.fstat(descriptor).st_ino), usual(descriptor))[1])
    await Spool(tmp_path / "spool").write("A", INPUT_FILENAME, b"1")
    written = await asyncio.to_thread(lambda: [tmp_path, *tmp_path.rglob("*")])
    assert len(written) == 4
    assert {path.stat().st_ino for path in written} <= synced
