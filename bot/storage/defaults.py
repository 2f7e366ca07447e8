"""What moderators and members have set: in the database, and in memory, being small and needed by every command."""

import json
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from bot.storage.database import Database


class Layer(StrEnum):
    """Who has set a value; the first layer that has one decides a default, the strictest decides a limit."""

    MEMBER = "member"
    CHANNEL = "channel"
    SERVER = "server"
    OPERATOR = "operator"
    MODEL = "model"


class Defaults:
    """Reads from memory, writes durably. An owner is the id of a member, channel or server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._values: defaultdict[tuple[Layer, int], dict[str, Any]] = defaultdict(dict)

    async def load(self) -> None:
        """Load everything that was ever set."""
        rows = await self._database.select("SELECT * FROM defaults")
        self._values.clear()
        for row in rows:
            self._values[Layer(row["layer"]), row["owner_id"]][row["name"]] = json.loads(row["value"])

    def of(self, layer: Layer, owner_id: int | None) -> Mapping[str, Any]:
        """Return what one owner has set."""
        return {} if owner_id is None else dict(self._values.get((layer, owner_id), {}))

    async def set(self, layer: Layer, owner_id: int, values: Mapping[str, Any]) -> None:
        """Set several values at once."""
        rows = [(layer, owner_id, name, json.dumps(value)) for name, value in values.items()]
        statement = (
            "INSERT INTO defaults VALUES (?, ?, ?, ?)"
            " ON CONFLICT (layer, owner_id, name) DO UPDATE SET value = excluded.value"
        )
        await self._database.run(lambda connection: connection.executemany(statement, rows))
        self._values[layer, owner_id].update(values)

    async def reset(self, layer: Layer, owner_id: int, name: str | None = None) -> None:
        """Remove one value, or all that an owner has set."""
        statement = "DELETE FROM defaults WHERE layer = ? AND owner_id = ? AND ? IN (name, '')"
        await self._database.execute(statement, layer, owner_id, name or "")
        if name is None:
            self._values.pop((layer, owner_id), None)
        else:
            self._values[layer, owner_id].pop(name, None)
