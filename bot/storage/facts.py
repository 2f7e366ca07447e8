"""Small facts about this installation that outlive a restart."""

from bot.storage.database import Database


class Facts:
    """Read and write named texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """Return a fact, or None if it was never written."""
        rows = await self._database.select("SELECT value FROM facts WHERE name = ?", name)
        return rows[0]["value"] if rows else None

    async def set(self, name: str, value: str) -> None:
        """Write a fact."""
        statement = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await self._database.execute(statement, name, value)
