"""The status message of a job: posted if there is none, found again after a restart, and edited."""

import io
from collections.abc import Callable, Sequence

import discord

from bot.discord_api.permissions import is_refused_there
from bot.discord_api.trouble import KnownRefusal
from bot.display.cards import status_text
from bot.jobs.channels import channel_of, find_own_message, retry_until_answered
from bot.storage.job import Job


class StatusMessages:
    """Sends, finds and edits status messages with the bot's own token, which does not expire as an interaction's does.

    ``status_view`` makes the buttons; it is passed in because the buttons depend on the whole bot, jobs included.
    """

    def __init__(self, client: discord.Client, status_view: Callable[[Job], discord.ui.View | None]) -> None:
        self._client = client
        self._status_view = status_view

    async def edit(self, job: Job, text: str, previews: Sequence[bytes] | None) -> None:
        """Edit a status message; None leaves its previews unchanged. Raises KnownRefusal."""
        assert job.status_message_id is not None
        if is_refused_there(self._client, job.guild_id, job.channel_id, "view_channel"):
            raise KnownRefusal
        message = channel_of(self._client, job).get_partial_message(job.status_message_id)
        attachments = discord.utils.MISSING if previews is None else [_preview(job, data) for data in previews]
        await message.edit(content=text, view=self._status_view(job), attachments=attachments)

    async def find(self, job: Job) -> int | None:
        """Look for a status message that was sent but whose id is missing from the row."""
        begin = job.interaction_id or job.request_message_id
        if begin is None:
            return None

        def is_status(message: discord.Message) -> bool:
            interaction, reference = message.interaction_metadata, message.reference
            if job.interaction_id is None:
                return reference is not None and reference.message_id == job.request_message_id
            is_response = interaction is not None and interaction.id == job.interaction_id
            return is_response or message.content == _mentioning(job)

        return await retry_until_answered(job, lambda: find_own_message(self._client, job, begin, is_status))

    async def post(self, job: Job) -> int | None:
        """Send the status message of a job that has none; return its id, or None if that is impossible.

        It replies to a request message; the user of a command is mentioned in the channel.
        """
        channel, view = channel_of(self._client, job), self._status_view(job) or discord.utils.MISSING

        async def send() -> discord.Message:
            nonce = f"{job.job_id}s"
            if job.request_message_id is not None:
                request = channel.get_partial_message(job.request_message_id)
                return await request.reply(status_text(job), view=view, mention_author=False, nonce=nonce)
            only_them = discord.AllowedMentions(users=[discord.Object(job.requester_id)])
            return await channel.send(_mentioning(job), view=view, nonce=nonce, allowed_mentions=only_them)

        try:
            return (await retry_until_answered(job, send)).id
        except discord.HTTPException:  # the message, the channel or the permission to answer is gone
            return None


def mentioning(requester_id: int, text: str) -> str:
    """Return the first text about a job for a message that replies to nothing."""
    return f"<@{requester_id}> {text}"


def _mentioning(job: Job) -> str:
    return mentioning(job.requester_id, status_text(job))


def _preview(job: Job, jpeg: bytes) -> discord.File:
    """Return a preview as a file, as a spoiler if the result will be one."""
    description = "How the picture looks while it is painted"
    return discord.File(io.BytesIO(jpeg), filename="preview.jpg", spoiler=job.spoiler, description=description)
