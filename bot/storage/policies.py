"""What a server's moderators have decided about pictures, words and members: in the database and in memory."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace

from bot.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The scores from which pictures are hidden and blocked, in channels for everybody and in age-restricted ones.

    1 means never: no picture has that score. Direct messages count as channels for everybody: nobody's age is known.
    """

    spoiler_score: float = 0.6
    block_score: float = 0.8
    restricted_spoiler_score: float = 0.8
    restricted_block_score: float = 1.0


DEFAULT_POLICY = Policy()
EVERYWHERE = 0  # not a server: the operator's blocks apply in all servers and in direct messages
_SCORES = tuple(field.name for field in fields(Policy))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedPicture:
    """A picture that a server does not want to see again, by the sha256 of its file and by its perceptual hash."""

    sha256: str
    perceptual_hash: str | None
    added_at: float


class Policies:
    """Reads from memory, since every prompt and picture asks; writes durably.

    A server without a row has the defaults, and so have direct messages, which have no server (None).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._policies: dict[int, Policy] = {}
        self._log_channels: dict[int, int] = {}
        self._members: defaultdict[int, dict[int, float]] = defaultdict(dict)
        self._terms: defaultdict[int, set[str]] = defaultdict(set)
        self._pictures: defaultdict[int, dict[str, BlockedPicture]] = defaultdict(dict)

    async def load(self) -> None:
        """Load every decision; the previously loaded ones apply until then."""
        tables = ("server_policies", "blocked_members", "blocked_terms", "blocked_pictures")
        # In one transaction: a concurrent decision is written, and remembered, either before all of it or after.
        policies, members, terms, pictures = await self._database.run(
            lambda connection: [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
        )
        for known in (self._policies, self._log_channels, self._members, self._terms, self._pictures):
            known.clear()
        for row in policies:
            self._policies[row["guild_id"]] = Policy(**{name: row[name] for name in _SCORES})
            if row["log_channel_id"] is not None:
                self._log_channels[row["guild_id"]] = row["log_channel_id"]
        for row in members:
            self._members[row["guild_id"]][row["member_id"]] = row["blocked_at"]
        for row in terms:
            self._terms[row["guild_id"]].add(row["term"])
        for row in pictures:
            self._pictures[row["guild_id"]][row["sha256"]] = BlockedPicture(
                sha256=row["sha256"], perceptual_hash=row["perceptual_hash"], added_at=row["added_at"]
            )

    def of(self, guild_id: int | None) -> Policy:
        """Return a server's policy."""
        return DEFAULT_POLICY if guild_id is None else self._policies.get(guild_id, DEFAULT_POLICY)

    def log_channel_id(self, guild_id: int | None) -> int | None:
        """Return the channel in which a server's moderators want to be told what happens."""
        return None if guild_id is None else self._log_channels.get(guild_id)

    def blocked_members(self, guild_id: int | None) -> Collection[int]:
        """Return the members who are blocked in a server, those blocked longest first."""
        members = {} if guild_id is None else self._members.get(guild_id, {})
        return sorted(members, key=lambda member_id: members[member_id])

    def is_blocked(self, guild_id: int | None, member_id: int) -> bool:
        """Return whether a member is blocked in a server."""
        return guild_id is not None and member_id in self._members.get(guild_id, {})

    def terms(self, guild_id: int | None) -> Collection[str]:
        """Return the words that a server has listed, in order."""
        return [] if guild_id is None else sorted(self._terms.get(guild_id, ()))

    def pictures(self, guild_id: int | None) -> Collection[BlockedPicture]:
        """Return the pictures that a server has listed, oldest first."""
        pictures = {} if guild_id is None else self._pictures.get(guild_id, {})
        return sorted(pictures.values(), key=lambda picture: picture.added_at)

    async def set_policy(self, guild_id: int, **scores: float) -> None:
        """Set the given scores, named as in ``Policy``."""
        await self._write(guild_id, scores)
        self._policies[guild_id] = replace(self.of(guild_id), **scores)

    async def set_log_channel(self, guild_id: int, channel_id: int | None) -> None:
        """Set the moderators' channel, or none."""
        await self._write(guild_id, {"log_channel_id": channel_id})
        self._log_channels.pop(guild_id, None)
        if channel_id is not None:
            self._log_channels[guild_id] = channel_id

    async def block_member(self, guild_id: int, member_id: int) -> None:
        """Block a member from now on."""
        now = time.time()
        await self._database.execute("INSERT OR IGNORE INTO blocked_members VALUES (?, ?, ?)", guild_id, member_id, now)
        self._members[guild_id].setdefault(member_id, now)

    async def unblock_member(self, guild_id: int, member_id: int) -> bool:
        """Unblock a member; return False if they were not blocked."""
        await self._database.execute(
            "DELETE FROM blocked_members WHERE guild_id = ? AND member_id = ?", guild_id, member_id
        )
        return self._members[guild_id].pop(member_id, None) is not None

    async def add_term(self, guild_id: int, term: str) -> None:
        """Refuse prompts with a word or phrase from now on."""
        await self._database.execute("INSERT OR IGNORE INTO blocked_terms VALUES (?, ?)", guild_id, term)
        self._terms[guild_id].add(term)

    async def remove_term(self, guild_id: int, term: str) -> bool:
        """Allow a word or phrase again; return False if it was not listed."""
        await self._database.execute("DELETE FROM blocked_terms WHERE guild_id = ? AND term = ?", guild_id, term)
        if term not in self._terms[guild_id]:
            return False
        self._terms[guild_id].remove(term)
        return True

    async def block_picture(self, guild_id: int, sha256: str, perceptual_hash: str | None) -> None:
        """Refuse a picture from now on, as input and as result."""
        picture = BlockedPicture(sha256=sha256, perceptual_hash=perceptual_hash, added_at=time.time())
        await self._database.execute(
            "INSERT OR REPLACE INTO blocked_pictures VALUES (?, ?, ?, ?)",
            guild_id, sha256, perceptual_hash, picture.added_at,
        )  # fmt: skip
        self._pictures[guild_id][sha256] = picture

    async def unblock_picture(self, guild_id: int, sha256: str) -> bool:
        """Allow a picture again; return False if it was not listed."""
        await self._database.execute("DELETE FROM blocked_pictures WHERE guild_id = ? AND sha256 = ?", guild_id, sha256)
        return self._pictures[guild_id].pop(sha256, None) is not None

    async def _write(self, guild_id: int, given: Mapping[str, float | None]) -> None:
        """Write only what is given, since another moderator may be setting the rest at this moment."""
        columns = {"guild_id": guild_id, **asdict(DEFAULT_POLICY), **given}
        statement = (
            f"INSERT INTO server_policies ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in given)}"
        )
        await self._database.execute(statement, *columns.values())
