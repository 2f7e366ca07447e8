"""Which members do not want others to paint over their pictures: in the database and in memory."""

from bot.storage.database import Database


class Remixing:
    """Reads from memory, writes durably; a member who has not chosen may be remixed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refusing: set[int] = set()

    async def load(self) -> None:
        """Load all members' choices."""
        rows = await self._database.select("SELECT member_id FROM remix_refusals")
        self._refusing = {row["member_id"] for row in rows}

    def is_refused(self, member_id: int) -> bool:
        """Return whether a member does not let others paint over their pictures."""
        return member_id in self._refusing

    async def set(self, member_id: int, *, is_allowed: bool) -> None:
        """Store a member's choice."""
        statement = (
            "DELETE FROM remix_refusals WHERE member_id = ?"
            if is_allowed
            else "INSERT OR IGNORE INTO remix_refusals VALUES (?)"
        )
        await self._database.execute(statement, member_id)
        if is_allowed:
            self._refusing.discard(member_id)
        else:
            self._refusing.add(member_id)
