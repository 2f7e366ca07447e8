"""Servers and channels that the bot has not seen for a long time, and everything that is kept about them."""

import sqlite3
from collections.abc import Collection

from bot.storage.database import Database

# The columns that hold the id of a server or channel.
HOLDINGS = (
    ("jobs", "guild_id", "1"),
    ("role_limits", "guild_id", "1"),
    ("server_policies", "guild_id", "1"),
    ("blocked_members", "guild_id", "guild_id <> 0"),  # 0 stands for everywhere
    ("blocked_terms", "guild_id", "1"),
    ("blocked_pictures", "guild_id", "1"),
    ("audit", "guild_id", "1"),
    ("reports", "guild_id", "1"),
    ("defaults", "owner_id", "layer IN ('server', 'channel')"),
)


class GonePlaces:
    """Records which places are gone, and purges their data when they have been gone for long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, visible: Collection[int], now: float) -> None:
        """Record since when places with data are gone, and remove the records of those that are back."""
        known = " UNION ".join(
            f"SELECT {column} FROM {table} WHERE {condition} AND {column} IS NOT NULL"
            for table, column, condition in HOLDINGS
        )

        def note(connection: sqlite3.Connection) -> None:
            gone = {row[0] for row in connection.execute(known)} - set(visible)
            noted = {row[0] for row in connection.execute("SELECT place_id FROM gone_places")}
            back = [(place_id,) for place_id in noted - gone]
            connection.executemany("DELETE FROM gone_places WHERE place_id = ?", back)
            new = [(place_id, now) for place_id in gone - noted]
            connection.executemany("INSERT INTO gone_places VALUES (?, ?)", new)

        await self._database.run(note)

    async def purge(self, gone_before: float) -> int:
        """Delete all data of places that have been gone since before a moment; return how many rows that were."""
        rows = await self._database.select("SELECT place_id FROM gone_places WHERE gone_at < ?", gone_before)
        places = [(row[0],) for row in rows]
        deleted = 0
        for table, column, condition in HOLDINGS if places else ():
            statement = f"DELETE FROM {table} WHERE {column} = ? AND {condition}"
            deleted += await self._database.run(
                lambda connection, statement=statement: connection.executemany(statement, places).rowcount
            )
        return deleted
