"""A job's channel: search it for the bot's own messages, and retry requests until Discord answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import discord

from bot.discord_api.trouble import is_temporary
from bot.errors import Refused
from bot.storage.job import Job

T = TypeVar("T")
log = logging.getLogger(__name__)

_HISTORY_LIMIT = 2000  # messages; a request to Discord returns a hundred


def channel_of(client: discord.Client, job: Job) -> discord.PartialMessageable:
    """Return a job's channel, without fetching it from Discord."""
    return client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)


async def result_message(client: discord.Client, job: Job) -> discord.Message:
    """Fetch a result's message, because attachment URLs expire; raise Refused (``result_gone``)."""
    if job.result_message_id is None:
        raise Refused("result_gone")
    try:
        return await channel_of(client, job).fetch_message(job.result_message_id)
    except (discord.NotFound, discord.Forbidden) as error:
        raise Refused("result_gone") from error


async def find_own_message(
    client: discord.Client, job: Job, begin: int, is_it: Callable[[discord.Message], bool]
) -> int | None:
    """Return the id of the bot's newest message after ``begin`` that matches ``is_it``.

    Returns None if there is none, or if the bot may not read the channel.
    """
    try:
        async for message in channel_of(client, job).history(limit=_HISTORY_LIMIT):
            if message.id <= begin:
                return None
            if message.author == client.user and is_it(message):
                return message.id
    except (discord.Forbidden, discord.NotFound) as error:
        log.warning("the channel of job %s could not be searched (%s)", job.job_id, error.status)
    return None


async def retry_until_answered(job: Job, ask: Callable[[], Awaitable[T]]) -> T:
    """Repeat a request to Discord until temporary trouble has passed."""
    delay_seconds = 1.0
    while True:
        try:
            return await ask()
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            if not is_temporary(error):
                raise
            log.warning("job %s waits for Discord (%s)", job.job_id, type(error).__name__)
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(delay_seconds * 2, 60.0)
