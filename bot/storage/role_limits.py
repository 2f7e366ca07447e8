"""What moderators allow the members of a role: in the database, and in memory because every command needs it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLimit:
    """How often and how much a role may request, and whether at all; 0 means no limit, None means not set."""

    cooldown_seconds: int | None = None
    daily_budget_seconds: int | None = None
    may_ask: bool | None = None


class RoleLimits:
    """Reads from memory, writes durably. The role @everyone has the id of its server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limits: defaultdict[int, dict[int, RoleLimit]] = defaultdict(dict)

    async def load(self) -> None:
        """Load everything that was ever set."""
        rows = await self._database.select("SELECT * FROM role_limits")
        self._limits.clear()
        for row in rows:
            self._limits[row["guild_id"]][row["role_id"]] = RoleLimit(
                cooldown_seconds=row["cooldown_seconds"],
                daily_budget_seconds=row["daily_budget_seconds"],
                may_ask=None if row["may_ask"] is None else bool(row["may_ask"]),
            )

    def of(self, guild_id: int | None) -> Mapping[int, RoleLimit]:
        """Return what a server's moderators have set, by role."""
        return {} if guild_id is None else dict(self._limits.get(guild_id, {}))

    async def set(self, guild_id: int, role_id: int, **values: int) -> None:
        """Set the given values out of ``cooldown_seconds``, ``daily_budget_seconds`` and ``may_ask``."""
        # Only these columns, since another moderator may be setting the others at this moment.
        statement = (
            f"INSERT INTO role_limits (guild_id, role_id, {', '.join(values)}) VALUES (?, ?{', ?' * len(values)})"
            f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in values)}"
        )
        await self._database.execute(statement, guild_id, role_id, *values.values())
        self._limits[guild_id][role_id] = replace(self.of(guild_id).get(role_id, RoleLimit()), **values)

    async def reset(self, guild_id: int, role_id: int) -> None:
        """Remove what was set for a role."""
        await self._database.execute("DELETE FROM role_limits WHERE guild_id = ? AND role_id = ?", guild_id, role_id)
        self._limits[guild_id].pop(role_id, None)
