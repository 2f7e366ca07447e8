"""Status messages: the newest state wins, edits are rate-limited, the final state is sent at once."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import discord

from bot.discord_api.trouble import STOPPED_BY_AUTOMOD, KnownRefusal, is_locked_out, is_temporary
from bot.display.cards import Standing, Waiting, status_text
from bot.display.pace import NEAR, ChannelPaces, Pace
from bot.monitoring.invalid_requests import Restraint
from bot.storage.job import Job, JobState

log = logging.getLogger(__name__)

AdmitPreview = Callable[[Job, bytes], Awaitable[bool]]
# The last argument are the attachments; None leaves the existing ones.
Edit = Callable[[Job, str, Sequence[bytes] | None], Awaitable[None]]
_UNKNOWN_MESSAGE = 10008
_SPARING_FACTOR = 10
# Discord seldom lets a message that is older than an hour be edited (error 30046).
_OLD, _OLD_FACTOR = timedelta(hours=1), 20
_LAST_TRIES, _MAX_PAUSE_SECONDS = 6, 60.0  # for the final state; the library itself tries each five times


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The rules and limits shared by every status message of a board."""

    edit: Edit
    deleted: Callable[[int], object]
    admit_preview: AdmitPreview | None
    restraint: Callable[[], Restraint]
    interval_seconds: float
    retry_seconds: float
    pace: Pace
    channels: ChannelPaces


class StatusBoard:
    """Keeps the status message of every open job up to date without flooding Discord.

    ``edit`` changes the message with the bot's own token, so that it works after the interaction's 15 minutes. At most
    one edit per message is under way; in the meantime newer states replace the one that waits. ``deleted`` is called
    with the id of a message that turns out to have been deleted, perhaps while the bot was offline. A preview stays
    until a newer one comes or the job is no longer running. ``admit_preview`` decides about every preview just before
    it would be shown; without it none is shown. ``restraint`` says what to leave out at the moment; the final state is
    never left out, and it is retried when Discord is out of reach. All edits except final ones are limited to
    ``max_per_second``, and in each channel to few enough that final ones do not wait for them.
    """

    def __init__(
        self,
        edit: Edit,
        *,
        deleted: Callable[[int], object],
        admit_preview: AdmitPreview | None = None,
        restraint: Callable[[], Restraint] = lambda: Restraint.NONE,
        interval_seconds: float = 3.0,
        retry_seconds: float = 3.0,
        max_per_second: float = 20.0,
    ) -> None:
        self._rules = _Rules(
            edit=edit,
            deleted=deleted,
            admit_preview=admit_preview,
            restraint=restraint,
            interval_seconds=interval_seconds,
            retry_seconds=retry_seconds,
            pace=Pace(max_per_second),
            channels=ChannelPaces(interval_seconds),
        )
        self._messages: dict[str, _StatusMessage] = {}

    def show(self, job: Job, standing: Standing = None, preview: bytes | None = None) -> None:
        """Show a state soon, and a preview (JPEG) with it."""
        message = self._messages.get(job.job_id)
        if message is None:
            message = self._messages[job.job_id] = _StatusMessage(self._rules)
            message.task.add_done_callback(lambda _: self._messages.pop(job.job_id, None))
        message.show(job, standing, preview)

    async def settle(self, job: Job) -> bool:
        """Show a job's final state now; only another final one replaces it, such as that the picture was deleted.

        Returns False if Discord could not be told.
        """
        while (message := self._messages.get(job.job_id)) is not None and message.is_finishing:
            await asyncio.wait([message.task])
        self.show(job)
        message = self._messages[job.job_id]
        message.finish()
        return await asyncio.shield(message.task)

    async def close(self) -> None:
        """Send pending states and stop."""
        messages = list(self._messages.values())
        for message in messages:
            message.finish_without_retries()
        await asyncio.gather(*(message.task for message in messages))


class _StatusMessage:
    """One status message."""

    def __init__(self, rules: _Rules) -> None:
        self._rules = rules
        self._admit_preview = rules.admit_preview
        self._next: tuple[Job, Standing] | None = None
        self._preview: bytes | None = None  # received but not sent yet
        self._shown = ""
        self._is_gone = self._is_locked_out = False
        self._quotes = True
        self._changed = asyncio.Event()
        self._finish = asyncio.Event()
        self._stop_retrying = asyncio.Event()
        self.task = asyncio.create_task(self._run())  # returns whether the final state was shown

    @property
    def is_finishing(self) -> bool:
        """Whether its final state is being sent."""
        return self._finish.is_set()

    def show(self, job: Job, standing: Standing, preview: bytes | None) -> None:
        if not self._finish.is_set():
            self._next = (job, standing)
            self._preview = preview or self._preview
            self._changed.set()

    def finish(self) -> None:
        self._finish.set()
        self._changed.set()

    def finish_without_retries(self) -> None:
        """Finish without further retries."""
        self._stop_retrying.set()
        self.finish()

    async def _run(self) -> bool:
        clock, sent_at, failures = asyncio.get_running_loop().time, float("-inf"), 0
        while True:
            if not self._finish.is_set():
                pause_seconds = self._pause_seconds(clock() - sent_at)
                if self._next is not None and pause_seconds is not None:
                    pause_seconds = max(pause_seconds, self._rules.channels.seconds_until_free(*self._next, clock()))
                if pause_seconds is None or pause_seconds > 0 or self._is_held_back():
                    await _wait(self._changed, pause_seconds)
                    self._changed.clear()
                    continue
                assert self._next is not None, "there is something to wait for"
                self._rules.channels.take(*self._next, clock())
                # Discord allows 50 requests a second in all; a final state still goes first when much changes at once.
                await _wait(self._finish, self._rules.pace.seconds_until_turn(clock()))
            if self._next is None or failures > _LAST_TRIES or (failures and self._stop_retrying.is_set()):
                return not failures and not self._is_locked_out
            if failures:
                await _wait(self._stop_retrying, min(2**failures * self._rules.retry_seconds, _MAX_PAUSE_SECONDS))
            job, standing = self._next
            self._next = None
            was_sent = await self._send(job, standing)
            sent_at = clock()
            failures = failures + 1 if self._finish.is_set() and not was_sent else 0
            if not was_sent:
                self._next = self._next or (job, standing)

    def _is_held_back(self) -> bool:
        return self._rules.restraint() is Restraint.SILENT

    def _pause_seconds(self, since_last_seconds: float) -> float | None:
        """Return how long the next edit has to wait; None if there is none.

        Jobs far back in a long queue are updated less often: together they would use up Discord's limit.
        """
        if self._next is None:
            return None
        job, standing = self._next
        distance = 1 if self._rules.restraint() is Restraint.NONE else _SPARING_FACTOR
        if isinstance(standing, Waiting):
            distance *= 1 + standing.ahead // NEAR
        if job.status_message_id is not None and _age(job.status_message_id) > _OLD:
            distance *= _OLD_FACTOR
        least = self._rules.interval_seconds if self._is_held_back() else 0.0
        return max(least, distance * self._rules.interval_seconds - since_last_seconds)

    async def _send(self, job: Job, standing: Standing) -> bool:
        """Show a state; return False if that is worth another try."""
        text = status_text(job, standing, quotes=self._quotes)
        attached = await self._take_attachments(job)
        if (text == self._shown and not attached) or self._is_gone or job.status_message_id is None:
            return True
        if self._is_locked_out and not self._finish.is_set():
            return True
        try:
            await self._rules.edit(job, text, attached)
            self._shown, self._is_locked_out = text, False
        except (discord.HTTPException, aiohttp.ClientError, OSError, KnownRefusal) as error:
            log.info("the status of job %s could not be edited (%s)", job.job_id, type(error).__name__)
            if is_temporary(error):
                return False
            if getattr(error, "code", None) == STOPPED_BY_AUTOMOD and self._quotes:
                # AutoMod has a newer rule than when the prompt was first quoted.
                self._quotes = False
                return await self._send(job, standing)
            if attached and isinstance(error, discord.HTTPException) and not isinstance(error, discord.NotFound):
                # The bot may no longer attach files, or one is too large: the text still goes.
                self._admit_preview = None
                return await self._send(job, standing)
            # The job goes on. Where the bot is locked out, only the final state is tried again.
            self._is_gone = isinstance(error, discord.NotFound)
            is_refused = isinstance(error, discord.HTTPException) and is_locked_out(error)
            self._is_locked_out = is_refused or isinstance(error, KnownRefusal)
            if isinstance(error, discord.NotFound) and error.code == _UNKNOWN_MESSAGE:
                self._rules.deleted(job.status_message_id)
        return True

    async def _take_attachments(self, job: Job) -> Sequence[bytes] | None:
        """Return what to attach: the newest preview, once; an empty sequence once the job is no longer running.

        The preview is removed even if none was shown: one may be left from before a restart.
        """
        preview, self._preview = self._preview, None
        if job.state not in (JobState.QUEUED, JobState.RUNNING):
            return ()
        if preview is None or self._admit_preview is None or self._rules.restraint() is not Restraint.NONE:
            return None
        if not await self._admit_preview(job, preview):
            return None
        return (preview,)


def _age(message_id: int) -> timedelta:
    return discord.utils.utcnow() - discord.utils.snowflake_time(message_id)


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
