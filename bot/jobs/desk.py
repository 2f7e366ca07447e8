"""The interface to jobs for the rest of the bot: accept, find, cancel, delete, list, pause, close and resume."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import aiohttp
import discord

from bot.discord_api.trouble import STOPPED_BY_AUTOMOD, UNKNOWN_INTERACTION, is_temporary
from bot.display.cards import Resting, Waiting, status_text
from bot.errors import Refused
from bot.jobs.audience import CHANNEL_GONE, NEVER_TOLD, SERVER_LEFT
from bot.jobs.delivery import Delivery
from bot.jobs.lifecycle import DEATHS_UNTIL_ALONE, JobLifecycle
from bot.storage.job import CancelReason, Job, JobState
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from bot.storage.trouble import StorageTrouble, retry_on_storage_trouble
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

# Sends the first message to the person and returns its id.
Acknowledge = Callable[[str], Awaitable[int | None]]
# Together with the grace period and the process exit this stays below the promised 30 s.
_LAST_STEPS_SECONDS, _LAST_WORDS_SECONDS = 1.5, 1.0
DEATHS_UNTIL_GIVEN_UP = 2 * DEATHS_UNTIL_ALONE


class JobDesk:
    """The entry point for everything about jobs; the steps of a job's life are in ``bot.jobs.lifecycle``."""

    def __init__(self, lifecycle: JobLifecycle, *, jobs: Jobs, spool: Spool, delivery: Delivery) -> None:
        self._lifecycle = lifecycle
        self._jobs = jobs
        self._spool = spool
        self._delivery = delivery
        self._open = lifecycle.open
        self._service = lifecycle.service
        self._progress = lifecycle.progress
        self._endings = lifecycle.endings
        self._notifier = lifecycle.notifier
        self._serving: asyncio.Task[None] | None = None
        self._being_told: dict[str, Job] = {}

    def start(self) -> None:
        """Start generating."""
        self._serving = asyncio.create_task(self._serve(), name="generation service")

    async def _serve(self) -> None:
        try:
            await self._service.run()
        except Exception as error:
            # Nobody awaits this task: without this log entry, jobs would be accepted and never generated, silently.
            log.critical("the queue crashed; nothing is painted until the bot is restarted\n%s", stack_of(error))

    @property
    def is_serving(self) -> bool:
        """Whether queued jobs are generated when their turn comes."""
        return self._serving is not None and not self._serving.done()

    async def resume(self, *, bot_died: bool) -> None:
        """Resume every job that was open when the bot last stopped; a running one keeps its attempt and its place.

        ``bot_died`` says that the bot stopped without being asked to. A job that was running at ``DEATHS_UNTIL_ALONE``
        such deaths waits until no other job does, then runs alone; at ``DEATHS_UNTIL_GIVEN_UP`` it fails.
        """
        for job in await self._jobs.with_end_to_show():
            was_sent = self._endings.may_have_been_sent(job)
            self._endings.in_background((self._endings.withdraw if was_sent else self._notifier.tell_end)(job))
        if bot_died:
            await self._jobs.count_unclean_death()
        for job in await self._jobs.unsettled():
            if job.state is JobState.RUNNING:
                returned = await self._jobs.return_to_queue(job.job_id)
                assert returned is not None
                job = returned
            if job.state is JobState.QUEUED and job.unclean_deaths >= DEATHS_UNTIL_GIVEN_UP:
                await self._endings.fail(job, "bot_died", times=job.unclean_deaths)
            elif job.state is JobState.ACCEPTED and job.status_message_id is None:
                await self._notifier.ensure_told(job, forgets_commands=True)
            else:
                await self._lifecycle.start_next_step(job)
        self._progress.show_queue()

    async def server_left(self, guild_id: int) -> None:
        """Settle every job of a server that has removed the bot."""
        for job in [job for job in self._open.values() if job.guild_id == guild_id]:
            await self._endings.expire(job, SERVER_LEFT)

    async def channel_gone(self, channel_id: int) -> None:
        """Settle every job of a deleted channel or thread."""
        for job in self._open.in_channel(channel_id):
            await self._endings.expire(job, CHANNEL_GONE)

    async def reconcile_servers(self, guild_ids: Collection[int]) -> None:
        """Settle the jobs of servers that the bot is no longer in; it may have been removed while it was offline."""
        for guild_id in {job.guild_id for job in self._open.values()} - {None, *guild_ids}:
            if guild_id is not None:
                await self.server_left(guild_id)

    async def close(self, grace_seconds: float, *, drains: bool) -> None:
        """Give running jobs, and with ``drains`` queued ones too, ``grace_seconds`` to finish.

        Unfinished jobs stay in the database for the next start.
        """
        if self._serving is None:
            return
        unfinished = await self._service.close(grace_seconds, drains=drains)
        for job_id in unfinished:
            with contextlib.suppress(StorageTrouble):  # the next start does it anyway
                await self._jobs.return_to_queue(job_id)
        self._serving.cancel()
        # Mostly deliveries: a moment now saves searching the channel at the next start.
        await self._open.close(_LAST_STEPS_SECONDS)
        last_words = [asyncio.create_task(self._progress.close()), *self._endings.background]
        _, late = await asyncio.wait(last_words, timeout=_LAST_WORDS_SECONDS)
        for words in late:  # they are sent after the next start; the connections are about to close
            words.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def accept(self, job: Job, acknowledge: Acknowledge) -> None:
        """Store a request, acknowledge it, and prepare its picture; everything after that runs in the background.

        The row is stored first, so that a message that says "fetching your picture" always has one. A person who could
        not be told in time is told in the channel. Raises StorageTrouble, Refused (``stopped_by_automod``), and
        permanent errors of ``acknowledge``.
        """
        await self._jobs.accept(job)
        self._being_told[job.job_id] = job
        try:
            status_message_id = await acknowledge(status_text(job))
        except (aiohttp.ClientError, OSError, discord.HTTPException) as error:
            if not is_temporary(error) and getattr(error, "code", None) != UNKNOWN_INTERACTION:
                try:
                    await self._jobs.expire(job.job_id, NEVER_TOLD)
                except StorageTrouble:  # the requester learns in any case why they are not answered
                    self._endings.in_background(self._endings.expire(job, NEVER_TOLD))
                if getattr(error, "code", None) == STOPPED_BY_AUTOMOD:
                    raise Refused("stopped_by_automod") from error
                raise
            # Discord is out of reach or failing, so the message may have arrived all the same; or it is too late to
            # acknowledge.
            log.info("job %s could not be acknowledged (%s)", job.job_id, type(error).__name__)
            await self._notifier.ensure_told(job)
            return
        except BaseException:
            # Whether the message reached Discord is unknown: find out now, or after the next start.
            await self._notifier.ensure_told(job)
            raise
        finally:
            del self._being_told[job.job_id]
        await self._lifecycle.start_next_step(replace(job, status_message_id=status_message_id))

    async def find(self, job_id: str) -> Job | None:
        """Return a job by its id, after waiting for its delivery if one is under way."""
        await self._open.wait_until_delivered(job_id)
        return self._open.get(job_id) or await self._jobs.get(job_id)

    async def find_by_message(self, message_id: int, channel_id: int) -> Job | None:
        """Return the job whose result or status message this is, after waiting for deliveries in this channel.

        A job of another channel does not count: a forwarded message names the original one, wherever that is.
        Deliveries elsewhere are not waited for: an answer must be sent within three seconds.
        """
        job = await self._jobs.by_message(message_id)
        if job is None and (open_here := self._open.in_channel(channel_id)):  # the row may not have the message id yet
            await self._open.wait_until_delivered(*(each.job_id for each in open_here))
            job = await self._jobs.by_message(message_id)
        return await self.find(job.job_id) if job is not None and job.channel_id == channel_id else None

    async def message_deleted(self, message_id: int, channel_id: int) -> None:
        """Settle what depends on a deleted message: a request or a result."""
        await self._endings.message_deleted(message_id)
        for job in [job for job in self._being_told.values() if job.request_message_id == message_id]:
            await self.cancel(job.job_id, CancelReason.REQUEST_DELETED)
        job = await self.find_by_message(message_id, channel_id)
        if job is None:
            return
        if job.result_message_id == message_id:
            await self._result_deleted(job)
        elif job.can_be_tried_again:
            # The buttons for another attempt are gone, and with them the reason to keep the picture.
            await self._spool.delete(job.job_id)

    def pause(self) -> None:
        """Start nothing new; running jobs finish, new ones wait."""
        self._service.pause()
        self._progress.show_queue()

    def unpause(self) -> None:
        """Continue after a pause."""
        self._service.resume()
        self._progress.show_queue()

    @property
    def is_paused(self) -> bool:
        """Whether jobs wait even if a slot is free."""
        return self._service.is_paused

    @property
    def resting(self) -> Resting | None:
        """Until when nothing is generated because the generation process keeps failing, or None."""
        return self._progress.resting()

    def snapshot(self) -> tuple[list[Job], list[tuple[Job, Waiting]]]:
        """Return the running jobs, and the waiting ones in queue order."""
        running = [self._open[job_id] for job_id in self._service.running_job_ids if job_id in self._open]
        return running, list(self._progress.waiting())

    async def has_input(self, job: Job) -> bool:
        """Return whether a job's input picture is still stored."""
        return await self._spool.exists(job.job_id, INPUT_FILENAME)

    def open_jobs(self, requester_id: int | None = None) -> int:
        """Return how many jobs are waiting or running, in total or of one member."""
        return self._open.count(requester_id)

    def open_jobs_in(self, guild_id: int | None) -> int:
        """Return how many jobs are waiting or running in one server, or in all direct messages (None)."""
        return self._open.count_in(guild_id)

    async def cancel(self, job_id: str, reason: CancelReason | None = None) -> bool:
        """Cancel a job; return False if it was already over.

        ``reason`` is set if the requester may be unaware of it; the status message shows it.
        """
        return await self._endings.cancel(job_id, reason)

    async def delete(self, job_id: str) -> None:
        """Delete a result's message and every picture kept for it; a result still to come is cancelled.

        If nothing can be stored it is deleted all the same, and recorded as soon as possible.
        """
        with contextlib.suppress(Refused):
            await self.cancel(job_id)
        job = await self.find(job_id)
        if job is not None:
            await self._delivery.delete(job)
            await self._result_deleted(job)

    async def _result_deleted(self, job: Job) -> None:
        """Record that a result is gone, delete the pictures kept for it, and say so in the status message."""
        await self._spool.delete(job.job_id)
        try:
            await self._jobs.note_result_gone(job.job_id)
        except StorageTrouble:
            self._endings.in_background(retry_on_storage_trouble(lambda: self._jobs.note_result_gone(job.job_id)))
        if job.state is JobState.DELIVERED and job.status_message_id is not None:
            self._endings.in_background(self._endings.show_end(replace(job, result_message_id=None)))
