"""Whether a job's requester was told of it, and of its end: found out where that is not known, and made up for."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from bot.jobs.audience import NEVER_TOLD
from bot.jobs.endings import Endings, given_up
from bot.jobs.open_jobs import OpenJobs
from bot.jobs.status_messages import StatusMessages
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.trouble import once_stored


class Telling:
    """Tell requesters what they may not have heard.

    A status message may have been sent without its row knowing of it: Discord was heard to fail, or the bot ended.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        status_messages: StatusMessages,
        open_jobs: OpenJobs,
        endings: Endings,
        bring_in: Callable[[Job], Coroutine[Any, Any, None]],
    ) -> None:
        self._jobs = jobs
        self._status_messages = status_messages
        self._open = open_jobs
        self._endings = endings
        self._bring_in = bring_in

    async def tell_first(self, job: Job, *, forgets_commands: bool = False) -> None:
        """Find out whether the requester was told of a job, tell them if not, then go on with it.

        With ``forgets_commands`` (after a restart) a command that was not answered is given up: Discord has said so to
        the person, and they ask again if they like.
        """
        self._open.begin(job, self._find_out(job, forgets_commands=forgets_commands))

    async def _find_out(self, job: Job, *, forgets_commands: bool) -> None:
        """Look for the status message that may have been sent before the row knew of it, or send it."""
        is_command = job.request_message_id is None
        status_message_id = await self._find_status(job)
        if status_message_id is None and job.job_id in self._open and not (is_command and forgets_commands):
            status_message_id = await self._status_messages.post(job)
        if status_message_id is None and is_command:
            await self._endings.expire(job, NEVER_TOLD)
            return
        if job.job_id in self._open:
            await self._bring_in(replace(job, status_message_id=status_message_id))
        else:  # given up when nobody knew where to say so
            row = await once_stored(lambda: self._jobs.get(job.job_id))
            await self._endings.show_end(given_up(replace(job, status_message_id=status_message_id), row))

    async def _find_status(self, job: Job) -> int | None:
        """Look for the status message of a job; an edited message has led to several, and each has its own."""
        found = await self._status_messages.find(job)
        if found is None:
            return None
        told = await once_stored(lambda: self._jobs.by_message(found))
        return found if told is None or told.job_id == job.job_id else None

    async def tell_end(self, job: Job) -> None:
        """Say after a restart how a job ended, be it in a message that was sent before its row knew of it."""
        if job.status_message_id is None and (found := await self._find_status(job)) is not None:
            await once_stored(lambda: self._jobs.set_status_message(job.job_id, found))
            job = replace(job, status_message_id=found)
        await self._endings.show_end(job)
        if job.status_message_id is None:
            await self._endings.note_end_shown(job)
