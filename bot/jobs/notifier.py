"""Makes sure that a job's requester has been told of it, and of its end, if that is uncertain."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from bot.jobs.audience import NEVER_TOLD
from bot.jobs.endings import Endings, as_ended
from bot.jobs.open_jobs import OpenJobs
from bot.jobs.status_messages import StatusMessages
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.trouble import retry_on_storage_trouble


class Notifier:
    """Tells requesters what they may have missed.

    A status message may have been sent without its row recording it: Discord's response was an error, or the bot
    stopped.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        status_messages: StatusMessages,
        open_jobs: OpenJobs,
        endings: Endings,
        prepare_input: Callable[[Job], Coroutine[Any, Any, None]],
    ) -> None:
        self._jobs = jobs
        self._status_messages = status_messages
        self._open = open_jobs
        self._endings = endings
        self._prepare_input = prepare_input

    async def ensure_told(self, job: Job, *, forgets_commands: bool = False) -> None:
        """Find out whether the requester has been told of a job, tell them if not, then go on with the job.

        With ``forgets_commands`` (after a restart) an unanswered command is dropped: Discord has told the person that
        it failed, and they can send it again.
        """
        self._open.start_step(job, self._find_out(job, forgets_commands=forgets_commands))

    async def _find_out(self, job: Job, *, forgets_commands: bool) -> None:
        """Look for a status message that may have been sent before the row recorded it, or send one."""
        is_command = job.request_message_id is None
        status_message_id = await self._find_status(job)
        if status_message_id is None and job.job_id in self._open and not (is_command and forgets_commands):
            status_message_id = await self._status_messages.post(job)
        if status_message_id is None and is_command:
            await self._endings.expire(job, NEVER_TOLD)
            return
        if job.job_id in self._open:
            await self._prepare_input(replace(job, status_message_id=status_message_id))
        else:  # cancelled while there was no known message to say so in
            row = await retry_on_storage_trouble(lambda: self._jobs.get(job.job_id))
            await self._endings.show_end(as_ended(replace(job, status_message_id=status_message_id), row))

    async def _find_status(self, job: Job) -> int | None:
        """Look for a job's status message; an edited request has led to several jobs, and each has its own."""
        found = await self._status_messages.find(job)
        if found is None:
            return None
        told = await retry_on_storage_trouble(lambda: self._jobs.by_message(found))
        return found if told is None or told.job_id == job.job_id else None

    async def tell_end(self, job: Job) -> None:
        """Show after a restart how a job ended, even in a status message that the row does not know yet."""
        if job.status_message_id is None and (found := await self._find_status(job)) is not None:
            await retry_on_storage_trouble(lambda: self._jobs.set_status_message(job.job_id, found))
            job = replace(job, status_message_id=found)
        await self._endings.show_end(job)
        if job.status_message_id is None:
            await self._endings.note_end_shown(job)
