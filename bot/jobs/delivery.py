"""Delivery of results to the channel, exactly once whatever happens in between."""

import contextlib
import io
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import discord

from bot.discord_api.permissions import is_refused_there
from bot.discord_api.trouble import NO_HISTORY, STOPPED_BY_AUTOMOD, is_locked_out, is_too_large
from bot.display.cards import alt_text, result_text
from bot.errors import Refused
from bot.jobs.channels import channel_of, find_own_message, retry_until_answered
from bot.model_shelf import ModelShelf
from bot.storage.job import Job, StoredPicture
from bot.storage.jobs import Jobs
from bot.storage.spool import Spool
from bot.storage.trouble import retry_on_storage_trouble
from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder

log = logging.getLogger(__name__)


class Delivery:
    """Sends results as ordinary messages of the bot.

    Such a message does not depend on the interaction's 15 minutes. Its ``nonce`` (the job id) makes Discord drop a
    duplicate within minutes; before a later attempt the channel is searched for the bot's own message. ``result_view``
    makes the buttons, and is told whether the model takes a strength.
    """

    def __init__(
        self,
        client: discord.Client,
        jobs: Jobs,
        spool: Spool,
        shelf: ModelShelf,
        decoder: ImageDecoder,
        result_view: Callable[..., discord.ui.View],
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._spool = spool
        self._shelf = shelf
        self._decoder = decoder
        self._result_view = result_view

    async def send(self, job: Job, *, may_be_there: bool) -> int:
        """Send a rendered job's pictures and return the message's id.

        With ``may_be_there`` (after a restart), and before every retry, the channel is searched first. Temporary
        trouble is waited out; raises Refused (``channel_gone``, ``not_allowed_here``, in direct messages
        ``not_allowed_to_write``, ``upload_too_large``) for permanent trouble.
        """

        async def send() -> int:
            nonlocal may_be_there
            if may_be_there and (found := await self._find_result(job)) is not None:
                return found
            may_be_there = True  # perhaps only the response was lost, and Discord forgets the nonce within minutes
            return await self._send(job, is_reply=is_reply, quotes=quotes)

        if not may_be_there and is_refused_there(self._client, job.guild_id, job.channel_id, "view_channel"):
            raise Refused("not_allowed_here")
        smaller, is_reply, quotes = False, True, True
        while True:
            try:
                return await retry_until_answered(job, send)
            except discord.NotFound as error:
                raise Refused("channel_gone") from error
            except discord.HTTPException as error:
                if is_locked_out(error):
                    # An earlier attempt may have succeeded although its response was lost.
                    result_message_id = await retry_until_answered(job, partial(self._find_result, job))
                    if result_message_id is not None:
                        return result_message_id
                    raise Refused("not_allowed_here" if job.guild_id else "not_allowed_to_write") from error
                if error.code == NO_HISTORY and is_reply:
                    is_reply = False
                    continue
                if error.code == STOPPED_BY_AUTOMOD and quotes:  # quoting a negative prompt, or under a new rule
                    quotes = False
                    continue
                if not is_too_large(error):
                    raise
                if smaller:
                    raise Refused("upload_too_large") from error
                smaller = True
                job = await self._encode_smaller(job)

    async def delete(self, job: Job) -> None:
        """Delete the result's message if it still exists."""
        if job.result_message_id is not None:
            with contextlib.suppress(discord.NotFound):  # already gone
                await channel_of(self._client, job).get_partial_message(job.result_message_id).delete()

    async def withdraw(self, job: Job, message_id: int | None) -> None:
        """Delete a result whose job was cancelled during delivery, as soon as Discord can be reached.

        Without ``message_id`` the channel is searched for the message.
        """

        async def withdraw() -> None:
            result_message_id = message_id or await self._find_result(job)
            await self.delete(replace(job, result_message_id=result_message_id))

        with contextlib.suppress(discord.HTTPException):  # the channel is gone, or closed to the bot
            await retry_until_answered(job, withdraw)

    async def _send(self, job: Job, *, is_reply: bool, quotes: bool) -> int:
        # Moderators may have marked it as a spoiler while it waited for Discord.
        row = await retry_on_storage_trouble(lambda: self._jobs.get(job.job_id))
        files = [
            discord.File(
                io.BytesIO(await self._spool.read(job.job_id, picture.filename)),
                filename=picture.filename,
                spoiler=job.spoiler if row is None else row.spoiler,
                description=alt_text(job, number),
            )
            for number, picture in enumerate(job.pictures, start=1)
        ]
        earlier = None
        # Otherwise it started from the same input as its parent, not from the parent's result.
        if job.attachment_url is not None and job.parent_job_id is not None:
            parent_job_id = job.parent_job_id
            earlier = await retry_on_storage_trouble(lambda: self._jobs.get(parent_job_id))
        reference: Any = None  # the library's own default, missing from its type hints
        if is_reply and (answered := job.status_message_id or job.request_message_id) is not None:
            reference = discord.MessageReference(
                message_id=answered, channel_id=job.channel_id, guild_id=job.guild_id, fail_if_not_exists=False
            )
        takes_strength = self._shelf.takes_strength(job.model)
        message = await channel_of(self._client, job).send(
            result_text(
                job,
                is_demo=self._shelf.is_demo(job.model),
                takes_strength=takes_strength,
                repaints_parts=self._shelf.repaints_parts(job.model),
                quotes=quotes,
                earlier=earlier,
            ),
            files=files,
            view=self._result_view(job, takes_strength=takes_strength),
            nonce=job.job_id,
            reference=reference,
            allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.requester_id)]),
        )
        return message.id

    async def _find_result(self, job: Job) -> int | None:
        """Look for a result that was sent but whose message id is missing from the row."""

        def is_result(message: discord.Message) -> bool:
            return any(job.job_id in attachment.filename for attachment in message.attachments)

        return await find_own_message(
            self._client, job, job.status_message_id or job.request_message_id or 0, is_result
        )

    async def _encode_smaller(self, job: Job) -> Job:
        """Re-encode the pictures to half of the refused size, keeping their parameters; raise Refused if that fails."""
        pictures: list[StoredPicture] = []
        for picture in job.pictures:
            data = await self._spool.read(job.job_id, picture.filename)
            limit_bytes = min(discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES, len(data)) // 2
            try:
                smaller, media_type = await self._decoder.encode_smaller(data, max_bytes=limit_bytes)
            except ImageRefused as error:
                raise Refused("upload_too_large") from error
            filename = f"{picture.filename.rpartition('.')[0]}.{media_type.rpartition('/')[2]}"
            await retry_on_storage_trouble(partial(self._spool.write, job.job_id, filename, smaller))
            pictures.append(replace(picture, filename=filename, media_type=media_type))
        await retry_on_storage_trouble(lambda: self._jobs.set_pictures(job.job_id, pictures))
        return replace(job, pictures=tuple(pictures))
