"""Everything in the database that belongs to a member, listed and counted in one place.

A test reads the schema and fails for a column of ids that is listed neither here nor among the ids of other things.
"""

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.storage.database import Database


class Kind(StrEnum):
    """The kind of a member's row, as ``/privacy show`` counts it."""

    REQUESTS = "requests"
    REMIXED = "remixed"
    PREFERENCES = "preferences"
    REPORTS = "reports"
    REMIXING = "remixing"
    BLOCKS = "blocks"
    ACTS = "acts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Rows of ``table`` that belong to a member by ``column``, restricted by ``condition``."""

    table: str
    column: str
    kind: Kind
    condition: str = "1"


HOLDINGS = (
    Holding(table="jobs", column="requester_id", kind=Kind.REQUESTS, condition="prompt <> ''"),
    Holding(table="jobs", column="input_owner_id", kind=Kind.REMIXED),
    Holding(table="defaults", column="owner_id", kind=Kind.PREFERENCES, condition="layer = 'member'"),
    Holding(table="reports", column="member_id", kind=Kind.REPORTS),
    Holding(table="remix_refusals", column="member_id", kind=Kind.REMIXING),
    Holding(table="blocked_members", column="member_id", kind=Kind.BLOCKS),
    Holding(table="audit", column="member_id", kind=Kind.ACTS),
    Holding(table="audit", column="actor_id", kind=Kind.ACTS),
)

# Ids of other things than members.
OTHER_IDS = frozenset(
    (
        "job_id", "parent_job_id", "guild_id", "channel_id", "log_channel_id", "role_id", "place_id", "entry_id",
        "request_message_id", "status_message_id", "result_message_id", "interaction_id",
    )
)  # fmt: skip


_EMPTY = """
    UPDATE jobs SET
        prompt = '', negative_prompt = '', seed = 0, attachment_url = NULL, mask_url = NULL, input_sha256 = NULL,
        parent_job_id = NULL, input_owner_id = NULL,
        interaction_id = NULL, request_message_id = NULL, status_message_id = NULL, result_message_id = NULL,
        is_end_shown = 1, pictures = '[]', failure_data = '{}', failure_reference = NULL
    WHERE job_id = ? AND accepted_at > ?
"""


class MemberData:
    """Counts and deletes what is kept about a member."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, member_id: int) -> Mapping[Kind, int]:
        """Return how many rows of each kind there are."""
        counts = dict.fromkeys(Kind, 0)
        for holding in HOLDINGS:
            statement = f"SELECT count(*) FROM {holding.table} WHERE {holding.column} = ? AND {holding.condition}"
            ((count,),) = await self._database.select(statement, member_id)
            counts[holding.kind] += count
        return counts

    async def delete_requests(self, job_ids: Collection[str], *, keep_since: float) -> None:
        """Delete settled requests; those accepted after ``keep_since`` are emptied and still count towards budgets.

        Times, seconds and ids are left of them: otherwise deleting requests would be a way around every limit.
        """
        values = [(job_id, keep_since) for job_id in job_ids]

        def delete(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM jobs WHERE job_id = ? AND accepted_at <= ?", values)
            connection.executemany(_EMPTY, values)

        await self._database.run(delete)
        await self._database.empty_log()

    async def forget_remixed(self, member_id: int) -> None:
        """Remove from others' requests whose picture they started from; 0 says that it was not their own."""
        await self._database.execute("UPDATE jobs SET input_owner_id = 0 WHERE input_owner_id = ?", member_id)

    async def forget_emptied(self, moment: float) -> None:
        """Delete the emptied requests that were accepted before ``moment``."""
        await self._database.execute("DELETE FROM jobs WHERE prompt = '' AND accepted_at < ?", moment)
