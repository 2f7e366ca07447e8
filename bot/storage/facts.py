"""Small facts about this installation that outlive a restart."""

from bot.storage.database import Database


class Facts:
    """Read and write named texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """Return a fact, or None if it was never written."""
        statement = "SELECT value FROM facts WHERE name = ?"
        row = await self._database.run(lambda connection: connection.execute(statement, (name,)).fetchone())
        return None if row is None else row["value"]

    async def set(self, name: str, value: str) -> None:
        """Write a fact."""
        statement = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await self._database.run(lambda connection: connection.execute(statement, (name, value)))
