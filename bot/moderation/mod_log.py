"""Notifies moderators in the channel they have chosen, and writes the audit trail."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any
from weakref import WeakValueDictionary

import discord

from bot.discord_api.permissions import is_refused_there
from bot.discord_api.trouble import STOPPED_BY_AUTOMOD
from bot.moderation.buttons import decision_view
from bot.moderation.cards import decision_text
from bot.storage.audit import Audit, AuditEntry
from bot.storage.job import Job
from bot.storage.policies import Policies

log = logging.getLogger(__name__)

_QUIET_SECONDS = 60.0
_SHOWN = ("reported", "result_hidden", "input_hidden")  # there is, or will be, a result to act on
_UNWRITTEN = ("words_sexual", "words_not_wanted")  # too common to deserve a row each


class ModLog:
    """Reports decisions in the background; refused prompts of a member at most once a minute."""

    def __init__(self, client: discord.Client, policies: Policies, audit: Audit) -> None:
        self._client = client
        self._policies = policies
        self._audit = audit
        self._noted_at: dict[tuple[int, int, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._notice_locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def notice_lock(self, message_id: int) -> asyncio.Lock:
        """Return the lock to hold while acting on a notice, because each action is appended to its text."""
        return self._notice_locks.setdefault(message_id, asyncio.Lock())

    def note(self, job: Job, what: str, score: float | None) -> None:
        """Record, in the background, what the bot has done with a job of a server."""
        if job.guild_id is not None:
            self._begin(self._note(job, job.guild_id, what, score))

    async def write(self, guild_id: int, actor_id: int | None, action: str, **more: Any) -> None:
        """Write an action to the server's audit trail; ``more`` are the other fields of AuditEntry."""
        await self._audit.write(AuditEntry(guild_id=guild_id, actor_id=actor_id, action=action, **more))

    async def close(self) -> None:
        """Give notices that are being sent a moment to finish."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _note(self, job: Job, guild_id: int, what: str, score: float | None) -> None:
        if self._was_noted_just_now(guild_id, job.requester_id, what):
            return
        try:
            if what not in _UNWRITTEN:
                detail = "" if score is None else f"score {score:.2f}"
                await self.write(guild_id, None, what, member_id=job.requester_id, job_id=job.job_id, detail=detail)
            channel_id = self._policies.log_channel_id(guild_id)
            if channel_id is not None and not is_refused_there(self._client, guild_id, channel_id, "send_messages"):
                channel = self._client.get_partial_messageable(channel_id, guild_id=guild_id)
                view = decision_view(job, is_shown=what in _SHOWN)
                try:
                    await channel.send(decision_text(job, what, score), view=view)
                except discord.HTTPException as error:
                    if error.code != STOPPED_BY_AUTOMOD:  # AutoMod may well block the same words here
                        raise
                    await channel.send(decision_text(job, what, score, quotes=False), view=view)
        except Exception as error:
            # The decision stands; trouble with the disk or the channel must not break the caller.
            log.warning("moderators could not be notified about job %s (%s)", job.job_id, type(error).__name__)

    def _was_noted_just_now(self, guild_id: int, member_id: int, what: str) -> bool:
        now = time.monotonic()
        self._noted_at = {key: at for key, at in self._noted_at.items() if now - at < _QUIET_SECONDS}
        key = (guild_id, member_id, what)
        if key in self._noted_at:
            return True
        if what.startswith("words_"):  # a prompt costs nothing to repeat, a picture does
            self._noted_at[key] = now
        return False
