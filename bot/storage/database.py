"""One SQLite connection in one thread of one process."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

from bot.storage.migrations import migrate
from bot.storage.trouble import StorageTrouble, trouble_of

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
DATABASE_NAME = "palimpsest.sqlite3"
_LOCK_NAME = "palimpsest.lock"
_BUSY_TIMEOUT_SECONDS = 1.0  # for another process that writes: an interaction must be answered within 3 s


class DataInUse(Exception):
    """Another bot is already using this data folder."""


class Database:
    """The connection to ``DATA_DIR/palimpsest.sqlite3``: WAL, ``synchronous=FULL``, one owner.

    A commit that has returned survives a crash of the process or the machine. Everything runs in one thread, so nothing
    here blocks the event loop and there are never two writers (SQLite before 3.51.3 could corrupt the database then:
    https://sqlite.org/wal.html#walresetbug). While it is open no other process can open the same folder.
    """

    def __init__(self, folder: Path, *, observe_seconds: Callable[[float], None] = lambda _: None) -> None:
        self.folder = folder
        self._observe_seconds = observe_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._waiting: deque[tuple[Work, Future[Any]]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._exclusive_access = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        """Open the database and bring its schema up to date.

        Raises DataInUse if another process has it, StorageTrouble if nothing can be written.
        """
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction: committed when it returns, rolled back when it raises.

        Calls that wait at the same moment share one commit, because the disk sync takes the time: two hundred commands
        at once cost one sync and not two hundred. ``work`` may run a second time, after a rollback. Raises
        StorageTrouble if nothing can be written.
        """
        future: Future[T] = Future()
        self._waiting.append((work, future))
        self._thread.submit(self._run_waiting)
        # Shielded: a thread cannot be interrupted, so the transaction finishes even if its caller is cancelled.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def execute(self, statement: str, *values: object) -> int:
        """Run one statement as ``run`` does; return how many rows it changed."""
        return await self.run(lambda connection: connection.execute(statement, values).rowcount)

    async def select(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return await self.run(lambda connection: connection.execute(statement, values).fetchall())

    def _run_waiting(self) -> None:
        """Run everything that waits in one transaction, or one by one if any of it fails."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batches = [waiting]
        while batches:
            batch = batches.pop(0)
            try:
                results = self._transaction([work for work, _ in batch])
            except Exception as error:
                # If another process holds the lock, each would wait for it in turn, and so would all that arrive in the
                # meantime.
                if len(batch) > 1 and not (isinstance(error, StorageTrouble) and error.is_busy):
                    batches = [[each] for each in batch]
                else:
                    for _, future in batch:
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)

    def _transaction(self, works: Sequence[Work]) -> list[Any]:
        connection = self._connection
        assert connection is not None, "the database is not open"
        if not works:  # an earlier call has run them
            return []
        began = time.perf_counter()
        with _as_storage_trouble(), connection:
            connection.execute("BEGIN IMMEDIATE")
            results = [work(connection) for work in works]
        self._observe_seconds(time.perf_counter() - began)
        return results

    async def empty_log(self) -> bool:
        """Move the write-ahead log into the database and truncate it.

        Deleted data is overwritten in the database (``secure_delete``), but the log still has the old page. Returns
        False if a reader of an earlier state, such as a backup, prevents it; then the next call does it. Raises
        StorageTrouble.
        """

        def checkpoint() -> bool:
            connection = self._connection
            assert connection is not None, "the database is not open"
            (busy_timeout_milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
            with _as_storage_trouble():
                # Do not wait for a reader: everybody who requests a picture in the meantime would wait, too.
                connection.execute("PRAGMA busy_timeout = 0")
                try:
                    is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {busy_timeout_milliseconds}")
            return not is_busy

        return await self._in_thread(checkpoint)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._exclusive_access.enter_context(exclusive_access(self.folder))
        except OSError as error:
            raise StorageTrouble(f"{error.strerror}: {error.filename}") from error
        database = self.folder / DATABASE_NAME
        try:
            database.touch()
            with contextlib.suppress(PermissionError):  # it belongs to another account that lets this one in
                database.chmod(0o600)  # prompts are private; SQLite gives its other files the same mode
        except OSError as error:
            raise StorageTrouble(f"{error.strerror}: {error.filename}") from error
        with _as_storage_trouble():
            connection = sqlite3.connect(database, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS)
            self._connection = connection
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            migrate(connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._exclusive_access.close()


@contextlib.contextmanager
def _as_storage_trouble() -> Iterator[None]:
    """Raise StorageTrouble for errors caused by the disk; let errors of the statement through."""
    try:
        yield
    except sqlite3.Error as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        raise trouble from error


@contextlib.contextmanager
def exclusive_access(folder: Path) -> Iterator[None]:
    """Keep every other process from using a folder; raise DataInUse if one already does."""
    with (folder / _LOCK_NAME).open("a+b") as file:
        try:
            _lock_file(file)
        except OSError as error:
            raise DataInUse(str(folder)) from error
        yield


def is_in_use(folder: Path) -> bool:
    """Return whether a process is using the folder's database; nothing is created or changed."""
    path = folder / _LOCK_NAME
    if not path.is_file():
        return False
    with path.open("a+b") as file:
        try:
            _lock_file(file)
        except OSError:
            return True
    return False


def _lock_file(file: BinaryIO) -> None:
    """Take an exclusive lock that the system releases when the process ends; raise OSError if it is taken."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
