"""The audit trail of decisions: append-only, read by moderators."""

import time
from dataclasses import dataclass

from bot.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An action by a moderator (``actor_id``; None is the bot itself) on a member, a job, or a setting."""

    guild_id: int
    actor_id: int | None
    action: str
    member_id: int | None = None
    job_id: str | None = None
    detail: str = ""
    happened_at: float = 0.0


class Audit:
    """Writes and reads servers' audit trails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, entry: AuditEntry) -> None:
        """Add an entry with the current time."""
        values = (
            entry.guild_id, entry.actor_id, entry.action, entry.member_id, entry.job_id, entry.detail, time.time(),
        )  # fmt: skip
        statement = (
            "INSERT INTO audit (guild_id, actor_id, action, member_id, job_id, detail, happened_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        await self._database.execute(statement, *values)

    async def newest(self, guild_id: int, limit: int) -> list[AuditEntry]:
        """Return a server's newest entries, newest first."""
        statement = (
            "SELECT guild_id, actor_id, action, member_id, job_id, detail, happened_at FROM audit"
            " WHERE guild_id = ? ORDER BY entry_id DESC LIMIT ?"
        )
        rows = await self._database.select(statement, guild_id, limit)
        return [AuditEntry(**dict(row)) for row in rows]

    async def forget_before(self, moment: float) -> None:
        """Delete the entries older than ``moment``."""
        await self._database.execute("DELETE FROM audit WHERE happened_at < ?", moment)
