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


class DataInUse(Exception):
    """Another bot already works with this data folder."""


class Database:
    """The connection to ``DATA_DIR/palimpsest.sqlite3``: WAL, ``synchronous=FULL``, one owner.

    A commit that has returned survives the death of the process and of the machine. Everything runs in one thread,
    so nothing here blocks the event loop and no two writers exist (which SQLite before 3.51.3 would not survive:
    https://sqlite.org/wal.html#walresetbug). While it is open no other process can open the same folder.
    """

    def __init__(self, folder: Path, *, observe_seconds: Callable[[float], None] = lambda _: None) -> None:
        self.folder = folder
        self._observe_seconds = observe_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._waiting: deque[tuple[Work, Future[Any]]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._owned = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        """Open the database and bring its schema up to date.

        Raises DataInUse if another process has it, StorageTrouble if the disk takes nothing.
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

        Calls that wait at the same moment share one commit, because the disk takes the time: two hundred
        commands at once are one wait and not two hundred. ``work`` may be run a second time, after a rollback. Raises
        StorageTrouble if the disk takes nothing.
        """
        future: Future[T] = Future()
        self._waiting.append((work, future))
        self._thread.submit(self._run_waiting)
        # Shielded: a thread cannot be interrupted, so the transaction ends even if its caller is cancelled.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def execute(self, statement: str, *values: object) -> int:
        """Run one statement as ``run`` does; return how many rows it changed."""
        return await self.run(lambda connection: connection.execute(statement, values).rowcount)

    async def select(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return await self.run(lambda connection: connection.execute(statement, values).fetchall())

    def _run_waiting(self) -> None:
        """Run everything that waits in one transaction, or one by one if anything of it goes wrong."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batches = [waiting]
        while batches:
            batch = batches.pop(0)
            try:
                results = self._transaction([work for work, _ in batch])
            except Exception as error:
                if len(batch) > 1:
                    batches = [[each] for each in batch]
                else:
                    batch[0][1].set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)

    def _transaction(self, works: Sequence[Work]) -> list[Any]:
        connection = self._connection
        assert connection is not None, "the database is not open"
        if not works:  # an earlier call has run them
            return []
        began = time.perf_counter()
        with _told_apart(), connection:
            connection.execute("BEGIN IMMEDIATE")
            results = [work(connection) for work in works]
        self._observe_seconds(time.perf_counter() - began)
        return results

    async def empty_log(self) -> bool:
        """Move the write-ahead log into the database and truncate it.

        What was deleted is overwritten in the database (``secure_delete``), but the log still has the page as it was
        before. Returns False if somebody, such as a backup, is reading an earlier state; then the next call does it.
        Raises StorageTrouble.
        """

        def checkpoint() -> bool:
            connection = self._connection
            assert connection is not None, "the database is not open"
            (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
            with _told_apart():
                # A reader is not waited for: everybody who asks for a picture meanwhile would wait, too.
                connection.execute("PRAGMA busy_timeout = 0")
                try:
                    is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {patience}")
            return not is_busy

        return await self._in_thread(checkpoint)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._owned.enter_context(owned(self.folder))
        except OSError as error:
            raise StorageTrouble(f"{error.strerror}: {error.filename}") from error
        database = self.folder / DATABASE_NAME
        try:
            database.touch()
            with contextlib.suppress(PermissionError):  # it belongs to another account that lets this one in
                database.chmod(0o600)  # prompts are private; SQLite gives its other files the same mode
        except OSError as error:
            raise StorageTrouble(f"{error.strerror}: {error.filename}") from error
        with _told_apart():
            connection = sqlite3.connect(database, isolation_level=None)
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
        self._owned.close()


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Raise StorageTrouble for an error that is the disk's and not the statement's."""
    try:
        yield
    except sqlite3.Error as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        raise trouble from error


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keep every other process from working with a folder; raise DataInUse if one does."""
    with (folder / _LOCK_NAME).open("a+b") as file:
        try:
            _lock_file(file)
        except OSError as error:
            raise DataInUse(str(folder)) from error
        yield


def is_in_use(folder: Path) -> bool:
    """Tell whether a process works with the folder's database; nothing is made or changed."""
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
    """Take an exclusive lock that the system drops when the process ends; raise OSError if it is taken."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
