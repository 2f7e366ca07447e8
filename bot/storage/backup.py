"""Backup of everything that must not be lost, made while the bot works, and its restoration."""

import contextlib
import errno
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from bot.storage.database import DATABASE_NAME, DataInUse, exclusive_access, is_in_use
from bot.storage.migrations import MIGRATIONS
from bot.storage.spool import sync_folder

_LOCK_NAME, _SPOOL_NAME = "models.lock", "spool"
_BACKUP, _RESTORE = ".backup-", ".restore-"  # temporary folders during a backup or restore


class BackupRefused(Exception):
    """A backup or restore that was not started or not finished; the message is a sentence for the operator."""


def back_up(data_dir: Path, file: Path) -> int:
    """Write database and pictures to a new tar file; return its size in bytes.

    SQLite itself copies the database (https://sqlite.org/backup.html) as of one moment, whatever the bot writes in the
    meantime; the pictures follow, so every job in the copy has its pictures unless it ended in between. Only the
    operator's user can read the file. Raises BackupRefused, and OSError for the file.
    """
    database = data_dir / DATABASE_NAME
    if not database.is_file():
        raise BackupRefused(f"There is no database in {data_dir}: set DATA_DIR to the bot's data folder.")
    if file.exists():
        raise BackupRefused(f"{file} already exists: name a new file, or move that one away.")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=_BACKUP) as folder:
        copied, whole = Path(folder, DATABASE_NAME), Path(folder, "whole.tar")
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as source,
                contextlib.closing(sqlite3.connect(copied)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:  # not every error has one
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error
            raise BackupRefused(f"{database} cannot be copied ({error}).") from error
        _require_sound(copied)
        with tarfile.open(whole, "w") as tar:
            tar.add(copied, DATABASE_NAME)
            for path in (data_dir / _LOCK_NAME, *sorted((data_dir / _SPOOL_NAME).rglob("*"))):
                with contextlib.suppress(FileNotFoundError):  # its job has ended in the meantime
                    tar.add(path, path.relative_to(data_dir).as_posix(), recursive=False)
        whole.chmod(0o600)
        _sync_file(whole)
        os.replace(whole, file)
        sync_folder(file.parent)
    return file.stat().st_size


def restore(file: Path, data_dir: Path) -> None:
    """Restore a backup into a data folder that has no database and no running bot. Raises BackupRefused."""
    _require_free(data_dir)
    if not file.is_file():
        raise BackupRefused(f"There is no file {file}.")
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=_RESTORE) as folder:
        try:
            with tarfile.open(file) as tar:
                tar.extractall(folder, filter="data")
        except tarfile.TarError as error:
            raise BackupRefused(f"{file} is not a backup, or it is damaged.") from error
        unpacked = Path(folder)
        if not (unpacked / DATABASE_NAME).is_file():
            raise BackupRefused(f"{file} is not a backup: it contains no {DATABASE_NAME}.")
        _require_sound(unpacked / DATABASE_NAME)
        try:
            # A bot that starts at this moment would write to a file that is about to be replaced.
            with exclusive_access(data_dir):
                _require_no_database(data_dir)
                _move_in(unpacked, data_dir)
        except DataInUse as error:
            raise _in_use(data_dir) from error


def _move_in(unpacked: Path, data_dir: Path) -> None:
    """Move a backup's contents to their places; the database comes last: once it is there, everything is."""
    folders = {data_dir}
    for path in sorted(unpacked.rglob("*")):
        if path.is_file() and path != unpacked / DATABASE_NAME:
            target = data_dir / path.relative_to(unpacked)
            (data_dir / _SPOOL_NAME).mkdir(mode=0o700, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync_file(path)
            os.replace(path, target)
            folders.update(parent for parent in target.parents if parent.is_relative_to(data_dir))
    (unpacked / DATABASE_NAME).chmod(0o600)
    _sync_file(unpacked / DATABASE_NAME)
    for folder in folders:
        sync_folder(folder)
    os.replace(unpacked / DATABASE_NAME, data_dir / DATABASE_NAME)
    sync_folder(data_dir)


def back_up_to(stream: BinaryIO, data_dir: Path) -> int:
    """Write a backup to a pipe, as ``back_up`` does; until it is sent, the copy takes space in the data folder."""
    if not data_dir.is_dir():
        raise BackupRefused(f"There is no folder {data_dir}: set DATA_DIR to the bot's data folder.")
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=_BACKUP) as folder:
        file = Path(folder, "backup.tar")
        count = back_up(data_dir, file)
        with file.open("rb") as whole:
            shutil.copyfileobj(whole, stream)
        stream.flush()
    return count


def restore_from(stream: BinaryIO, data_dir: Path) -> None:
    """Restore from a pipe, as ``restore`` does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=_RESTORE) as folder:
        file = Path(folder, "backup.tar")
        with file.open("wb") as whole:
            shutil.copyfileobj(stream, whole)
        restore(file, data_dir)


def _require_free(data_dir: Path) -> None:
    if is_in_use(data_dir):
        raise _in_use(data_dir)
    _require_no_database(data_dir)


def _in_use(data_dir: Path) -> BackupRefused:
    return BackupRefused(f"A bot is using {data_dir}: stop it first.")


def _require_no_database(data_dir: Path) -> None:
    """Raise BackupRefused if there is a database, or a leftover log that SQLite would apply to the restored one.

    https://sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
    """
    if any((data_dir / f"{DATABASE_NAME}{suffix}").exists() for suffix in ("", "-wal", "-journal")):
        raise BackupRefused(
            f"{data_dir} already contains a database: move the folder away, or set DATA_DIR to another one."
        )


def _sync_file(path: Path) -> None:
    """Make a file durable before it gets its name: otherwise a power cut may leave the name without the contents."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def delete_leftovers(data_dir: Path, before: float) -> None:
    """Delete what killed backups and restores left behind before a moment: it contains everybody's requests."""
    for prefix in (_BACKUP, _RESTORE):
        for folder in data_dir.glob(f"{prefix}*"):
            with contextlib.suppress(FileNotFoundError):  # it has just finished
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)


def database_problem(data_dir: Path) -> str | None:
    """Return why this program cannot use a folder's database, as a sentence, or None; nothing is changed.

    Not for a folder with a running bot: the write-ahead log is ignored.
    """
    database = data_dir / DATABASE_NAME
    if not database.is_file():
        return None
    try:
        with contextlib.closing(_open_immutable(database)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return f"{database} cannot be read ({error})."
    return f"{database} comes from a newer version of this program." if version > len(MIGRATIONS) else None


def _open_immutable(database: Path) -> sqlite3.Connection:
    """Open a database that nobody writes to, without creating files beside it: the disk may be full."""
    return sqlite3.connect(f"{database.resolve().as_uri()}?immutable=1", uri=True)


def _require_sound(database: Path) -> None:
    """Raise BackupRefused unless a copied database is intact and not from a newer version of this program."""
    with contextlib.closing(_open_immutable(database)) as connection:
        try:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise BackupRefused(f"The database is damaged ({error}).") from error
    if verdict != "ok":
        raise BackupRefused(f"The database is damaged ({verdict}).")
    if version > len(MIGRATIONS):
        raise BackupRefused("The database comes from a newer version: update this program.")
