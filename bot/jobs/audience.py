"""Whether there is still someone to answer: the member may have left, or the bot may have been removed."""

import logging

import aiohttp
import discord

from bot.discord_api.permissions import is_refused_there
from bot.errors import Refused
from bot.storage.job import Job

log = logging.getLogger(__name__)

_UNKNOWN_MEMBER, _UNKNOWN_USER = 10007, 10013  # https://docs.discord.com/developers/topics/opcodes-and-status-codes
# Reasons why a job expires.
REQUESTER_LEFT, SERVER_LEFT, CHANNEL_GONE = "requester_left", "server_left", "channel_gone"
NEVER_TOLD = "never_told"


class Audience:
    """Asks Discord, because only bots with a privileged intent are notified when members join and leave."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    def require_open(self, job: Job) -> None:
        """Raise Refused (``closed_meanwhile``) if the bot is known to be locked out of the job's channel."""
        if is_refused_there(self._client, job.guild_id, job.channel_id, "view_channel"):
            raise Refused("closed_meanwhile")

    async def missing(self, job: Job) -> str | None:
        """Return why nobody waits for a job any more; None if somebody does, or if that cannot be determined now."""
        if job.guild_id is None:
            return None
        try:
            await self._client.http.get_member(job.guild_id, job.requester_id)
        except discord.NotFound as error:
            if error.code in (_UNKNOWN_MEMBER, _UNKNOWN_USER):
                return REQUESTER_LEFT
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info(
                "it is not known whether the member of job %s is still there (%s)", job.job_id, type(error).__name__
            )
        return None
