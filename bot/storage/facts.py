"""Small facts about this installation that survive a restart."""

from bot.storage.database import Database


class Facts:
    """Reads and writes named texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """Return a fact, or None if it has not been written."""
        rows = await self._database.select("SELECT value FROM facts WHERE name = ?", name)
        return rows[0]["value"] if rows else None

    async def set(self, name: str, value: str) -> None:
        """Write a fact."""
        statement = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await self._database.execute(statement, name, value)

    async def starting_with(self, beginning: str) -> dict[str, str]:
        """Return the facts whose names start with a prefix, by the rest of their names."""
        statement = "SELECT substr(name, length(?) + 1) AS rest, value FROM facts WHERE name GLOB ? || '*'"
        return {row["rest"]: row["value"] for row in await self._database.select(statement, beginning, beginning)}

    async def forget(self, name: str) -> None:
        """Delete a fact."""
        await self._database.execute("DELETE FROM facts WHERE name = ?", name)
