"""Storage that cannot be written: its error, and waiting it out where something was promised."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

# https://sqlite.org/rescode.html: the low byte of an extended code is the primary result code.
_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
}
_LONGEST_DELAY_SECONDS = 30.0


class StorageTrouble(Exception):
    """Nothing can be stored now: the disk is full, read-only or broken. ``str`` says which, for the operator.

    ``is_busy`` says that another process, such as one of the operator's tools, holds the file.
    """

    reason = "storage_trouble"

    def __init__(self, message: str, *, is_busy: bool = False) -> None:
        super().__init__(message)
        self.is_busy = is_busy


def trouble_of(error: sqlite3.Error) -> StorageTrouble | None:
    """Return the storage trouble behind an SQLite error, or None if the statement is at fault."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _TROUBLE:
        return None
    is_busy = code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return StorageTrouble(f"{getattr(error, 'sqlite_errorname', code)}: {error}", is_busy=is_busy)


def note_trouble(error: BaseException) -> None:
    """Log storage trouble for the operator: the person has been told that the operator knows."""
    if isinstance(error, StorageTrouble):
        log.error("a request was refused because it could not be stored (%s)", error)


async def retry_on_storage_trouble(work: Callable[[], Awaitable[T]], *, first_delay_seconds: float = 1.0) -> T:
    """Repeat a read or write until it works, however long the disk is in trouble: promises are kept."""
    delay_seconds = first_delay_seconds
    is_troubled = False
    while True:
        try:
            result = await work()
        except StorageTrouble as error:
            if not is_troubled:
                log.error("nothing can be stored (%s); trying again until it works", error)
            is_troubled = True
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _LONGEST_DELAY_SECONDS)
        else:
            if is_troubled:
                log.info("what could not be stored has been stored now")
            return result
