"""Members' reports of results, at most one per job and member."""

import sqlite3
import time
from dataclasses import dataclass

from bot.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A job that members want moderators to look at; ``count`` of them reported it, the first at ``reported_at``."""

    job_id: str
    count: int
    reported_at: float


class Reports:
    """Writes and reads reports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job_id: str, member_id: int, guild_id: int | None) -> int:
        """Store a report; return how many the job has now, or 0 if the member has reported it before."""

        def add(connection: sqlite3.Connection) -> int:
            values = (job_id, member_id, guild_id, time.time())
            if not connection.execute("INSERT OR IGNORE INTO reports VALUES (?, ?, ?, ?)", values).rowcount:
                return 0
            (count,) = connection.execute("SELECT count(*) FROM reports WHERE job_id = ?", (job_id,)).fetchone()
            return count

        return await self._database.run(add)

    async def open(self, guild_id: int, limit: int) -> list[Report]:
        """Return a server's reported jobs, newest first."""
        statement = (
            "SELECT job_id, count(*) AS count, min(reported_at) AS reported_at FROM reports WHERE guild_id = ?"
            " GROUP BY job_id ORDER BY reported_at DESC LIMIT ?"
        )
        rows = await self._database.select(statement, guild_id, limit)
        return [Report(**dict(row)) for row in rows]

    async def settle(self, job_id: str) -> None:
        """Delete the reports of a job that a moderator has decided about."""
        await self._database.execute("DELETE FROM reports WHERE job_id = ?", job_id)

    async def forget_member(self, member_id: int) -> None:
        """Delete the reports that a member has made."""
        await self._database.execute("DELETE FROM reports WHERE member_id = ?", member_id)

    async def forget_before(self, moment: float) -> None:
        """Delete the reports older than ``moment``."""
        await self._database.execute("DELETE FROM reports WHERE reported_at < ?", moment)
