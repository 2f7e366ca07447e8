"""Requests from places where the bot is not: they move to the requester's direct messages."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import discord

from bot import replies
from bot.discord_api.trouble import CANNOT_WRITE_TO_PERSON, OPENING_TOO_FAST
from bot.errors import Refused
from bot.jobs.status_messages import mentioning
from bot.orders.closed_direct_messages import ClosedDirectMessages
from bot.orders.origin import Origin

log = logging.getLogger(__name__)

# The origin there, and what sends the first message with its buttons and returns its id.
Moved = tuple[Origin, Callable[[str, discord.ui.View], Awaitable[int]]]


@asynccontextmanager
async def moved_to_direct_messages(
    interaction: discord.Interaction, origin: Origin, closed: ClosedDirectMessages
) -> AsyncIterator[Moved]:
    """Let a request from elsewhere be accepted in the requester's direct messages, and answer with a link to it.

    The bot cannot write where it is not, and the interaction can be answered for 15 minutes only
    (https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages). It is deferred first,
    because opening direct messages and writing there may take longer than the 3 s for an answer. Raises Refused if
    Discord does not let the bot write to the person (``direct_messages_closed``, after several attempts
    ``direct_messages_refused``), or to anybody new for a while (``direct_messages_paused``).
    """
    await interaction.response.defer(ephemeral=True, thinking=True)
    status: discord.Message | None = None

    async def acknowledge(text: str, view: discord.ui.View) -> int:
        nonlocal status
        # After a restart the bot recognises the message by this text.
        text = mentioning(origin.requester_id, text)
        status = await direct.send(text, view=view, nonce=str(interaction.id))
        return status.id

    closed.require_attempt_left(origin.requester_id)
    try:
        direct = await interaction.user.create_dm()
        yield replace(origin, channel_id=direct.id, is_elsewhere=False), acknowledge
    except discord.HTTPException as error:
        if error.code == OPENING_TOO_FAST:
            raise Refused("direct_messages_paused") from error
        if isinstance(error, discord.Forbidden) or error.code in CANNOT_WRITE_TO_PERSON:
            closed.note(origin.requester_id)
            raise Refused("direct_messages_closed") from error
        raise
    link = direct.jump_url if status is None else status.jump_url
    try:
        await interaction.edit_original_response(content=replies.moved_to_direct_messages(link))
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:  # the request itself has been accepted
        log.info("the link to a request could not be sent (%s)", type(error).__name__)
