"""The pictures of jobs on disk: ``DATA_DIR/spool/JOB/``."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from bot.storage.trouble import StorageTrouble

INPUT_FILENAME = "input.png"

log = logging.getLogger(__name__)


class Spool:
    """One folder per job. Once ``write`` returns, the file is on disk, complete, under its final name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, job_id: str, filename: str, data: bytes) -> None:
        """Write a file atomically and durably, so that it survives a power cut; raise StorageTrouble."""
        try:
            try:
                await asyncio.to_thread(self._write, job_id, filename, data)
            except (FileNotFoundError, FileExistsError):
                # The folder was deleted in the meantime, which is no disk trouble.
                await asyncio.to_thread(self._write, job_id, filename, data)
        except OSError as error:
            raise StorageTrouble(f"{error.strerror}: {error.filename}") from error

    async def read(self, job_id: str, filename: str) -> bytes:
        """Return a file; raise FileNotFoundError if it is past its retention."""
        return await asyncio.to_thread((self._folder / job_id / filename).read_bytes)

    async def exists(self, job_id: str, filename: str) -> bool:
        """Return whether a file exists."""
        return await asyncio.to_thread((self._folder / job_id / filename).is_file)

    async def delete(self, job_id: str, *, keep: str | None = None) -> None:
        """Delete a job's files, all or all but one; what cannot be deleted now is left to the janitor."""
        await asyncio.to_thread(self._delete, job_id, keep)

    async def job_ids(self) -> list[str]:
        """Return the jobs that have files, oldest first."""
        return await asyncio.to_thread(self._job_ids)

    async def size_bytes(self) -> int:
        """Return the total size of all files."""
        return await asyncio.to_thread(self._size_bytes)

    async def job_size_bytes(self, job_id: str) -> int:
        """Return the size of one job's files."""
        return await asyncio.to_thread(_folder_bytes, self._folder / job_id)

    def _write(self, job_id: str, filename: str, data: bytes) -> None:
        folder = self._folder / job_id
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # pictures are private
            sync_folder(self._folder.parent)
        folder.mkdir(exist_ok=True)
        partial = folder / f".{filename}.partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / filename)
        sync_folder(folder)
        sync_folder(self._folder)

    def _delete(self, job_id: str, keep: str | None) -> None:
        folder = self._folder / job_id
        try:
            for path in _files(folder):
                if path.name != keep:
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the pictures of job %s cannot be deleted now (%s)", job_id, error.strerror)
        with contextlib.suppress(OSError):  # it still has the kept file, or is gone
            folder.rmdir()

    def _job_ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    def _size_bytes(self) -> int:
        return sum(_folder_bytes(self._folder / job_id) for job_id in self._job_ids())


def _folder_bytes(folder: Path) -> int:
    size_bytes = 0
    for path in _files(folder):
        with contextlib.suppress(FileNotFoundError):  # it has just been delivered, or got its final name
            size_bytes += path.stat().st_size
    return size_bytes


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder, which may disappear at any moment."""
    with contextlib.suppress(FileNotFoundError):
        return list(folder.iterdir())
    return []


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable; Windows has no such call and does not need one."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
