"""Deletion: on a member's request, after the retention time, and of data of servers that are long gone."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.discord_api.permissions import is_refused_there
from bot.jobs.channels import channel_of
from bot.orders.allowances import DAY_SECONDS
from bot.storage.backup import delete_leftovers
from bot.storage.database import Database
from bot.storage.defaults import Layer
from bot.storage.facts import Facts
from bot.storage.gone_places import GonePlaces
from bot.storage.job import Job
from bot.storage.member_data import MemberData

if TYPE_CHECKING:
    from bot.client import Palimpsest

log = logging.getLogger(__name__)

_DELETION_FACT = "forgetting:"
GONE_DAYS = 30
TRAIL_DAYS = 90


class DataDeletion:
    """Deletes permanently: rows, their bytes in the database files, pictures, messages."""

    def __init__(self, client: "Palimpsest", database: Database) -> None:
        self._client = client
        self._database = database
        self.member_data = MemberData(database)
        self._gone_places = GonePlaces(database)
        self._facts = Facts(database)
        self._under_way: set[int] = set()

    async def sweep(self) -> None:
        """Delete what is past its retention time."""
        now = time.time()
        client = self._client
        await self._resume_interrupted()
        await client.audit.forget_before(now - TRAIL_DAYS * DAY_SECONDS)
        await client.reports.forget_before(now - TRAIL_DAYS * DAY_SECONDS)
        await self.member_data.forget_emptied(now - DAY_SECONDS)
        if (visible := self._visible_places()) is not None:
            await self._gone_places.note(visible, now)
            if deleted := await self._gone_places.purge(now - GONE_DAYS * DAY_SECONDS):
                log.info("deleted %d row(s) of servers and channels that are gone for %d days", deleted, GONE_DAYS)
                await client.load_decisions()
        await asyncio.to_thread(delete_leftovers, self._database.folder, now - DAY_SECONDS)
        await self._database.empty_log()

    async def delete_requests(self, member_id: int) -> int:
        """Cancel a member's open requests and delete all their requests, with messages and pictures.

        Returns how many messages Discord did not let the bot delete. An interrupted deletion is resumed by a later
        sweep.
        """
        self._client.forms.forget(member_id)
        fact = f"{_DELETION_FACT}{member_id}"
        await self._facts.set(fact, repr(time.time()))
        self._under_way.add(member_id)
        try:
            left = await self._delete_requests(member_id)
        finally:
            self._under_way.discard(member_id)
        await self._facts.forget(fact)
        return left

    async def _resume_interrupted(self) -> None:
        """Finish deletions that were interrupted when the bot stopped; requests made since then are kept."""
        for member, moment in (await self._facts.starting_with(_DELETION_FACT)).items():
            if int(member) not in self._under_way:
                await self._delete_requests(int(member), until=float(moment))
                await self._facts.forget(f"{_DELETION_FACT}{member}")

    async def _delete_requests(self, member_id: int, *, until: float = math.inf) -> int:
        client = self._client

        async def wanted() -> list[Job]:
            return [job for job in await client.jobs.of_requester_since(member_id, 0) if job.accepted_at <= until]

        # All at once: otherwise later jobs would still be generated while the first cancellations are being shown.
        await asyncio.gather(*(client.desk.cancel(job.job_id) for job in await wanted() if not job.state.is_settled))
        jobs = await wanted()
        left = sum([await self._delete_messages(job) for job in jobs])
        await client.reports.forget_member(member_id)
        await self.member_data.delete_requests([job.job_id for job in jobs], keep_since=time.time() - DAY_SECONDS)
        return left

    async def delete_preferences(self, member_id: int) -> None:
        """Delete a member's preferences."""
        await self._client.defaults.reset(Layer.MEMBER, member_id)
        await self._database.empty_log()

    async def delete_member_data(self, member_id: int) -> int:
        """Delete everything that a member may delete; return how many messages Discord did not let the bot delete."""
        left = await self.delete_requests(member_id)
        await self.delete_preferences(member_id)
        await self._client.remixing.set(member_id, is_allowed=True)
        await self.member_data.forget_remixed(member_id)
        await self._database.empty_log()
        return left

    async def _delete_messages(self, job: Job) -> int:
        """Delete a job's result, its status message and its pictures; return how many messages are left.

        The status message goes first: otherwise it would be edited to say that the result was deleted, which costs one
        of the channel's few requests.
        """
        if self._is_out_of_reach(job):
            await self._client.spool.delete(job.job_id)
            return sum(message_id is not None for message_id in (job.status_message_id, job.result_message_id))
        left = 0
        channel = channel_of(self._client, job)
        if job.status_message_id is not None:
            if await _is_gone(channel.get_partial_message(job.status_message_id).delete()):
                await self._client.jobs.set_status_message(job.job_id, None)
            else:
                # If the bot stops before the row is deleted, the next start tries again.
                left += 1
        left += not await _is_gone(self._client.desk.delete(job.job_id))
        await self._client.spool.delete(job.job_id)
        return left

    def _is_out_of_reach(self, job: Job) -> bool:
        """Return whether the bot is known to be locked out of a job's channel, or removed from its server."""
        client = self._client
        is_sent_away = job.guild_id is not None and client.is_ready() and client.get_guild(job.guild_id) is None
        return is_sent_away or is_refused_there(client, job.guild_id, job.channel_id, "view_channel")

    def _visible_places(self) -> Collection[int] | None:
        """Return the ids of all visible servers and channels, or None while that is unknown."""
        client = self._client
        if not client.is_ready() or any(guild.unavailable for guild in client.guilds):
            return None
        channels = [place.id for guild in client.guilds for place in (*guild.channels, *guild.threads)]
        return {guild.id for guild in client.guilds}.union(channels)


async def _is_gone(deletion: Awaitable[None]) -> bool:
    try:
        await deletion
    except discord.NotFound:  # already gone
        return True
    except (discord.HTTPException, aiohttp.ClientError, OSError):
        return False
    return True
