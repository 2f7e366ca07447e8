"""Messages to the bot: which are meant for it, when to handle an edited one again, and how they are answered."""

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot import replies
from bot.discord_api.trouble import NO_HISTORY, is_temporary
from bot.errors import Refused
from bot.messages.handled_messages import HandledMessages, may_unfurl, should_handle_again, version_of
from bot.messages.message_orders import MessageOrders
from bot.orders.origin import Origin
from bot.storage.trouble import StorageTrouble, note_trouble
from generation.errors import GenerationError
from generation.references import new_reference
from generation.tracebacks import stack_of

if TYPE_CHECKING:
    from bot.client import Palimpsest

log = logging.getLogger(__name__)

_UNFURLING_SECONDS = 3.0  # Discord has usually resolved a link within this time


class Conversation:
    """Answers messages that are meant for the bot: those that mention it, replies to it with a ping, direct messages.

    Discord shows their content without the privileged intent (https://docs.discord.com/developers/events/gateway).
    """

    def __init__(self, client: "Palimpsest") -> None:
        self._client = client
        self._answering: set[int] = set()  # members who are being answered at the moment
        self._handled = HandledMessages()
        self._orders = MessageOrders(client)

    async def handle(self, message: discord.Message) -> None:
        """Handle a new message; ignore one that is not for the bot."""
        if message.author.bot or message.is_system():
            return
        if not self._is_for_us(message):
            if message.guild is not None and message.role_mentions and message.guild.self_role in message.role_mentions:
                await self._say(message, replies.role_mentioned(message.guild.me.mention))
            return
        handled = self._handled.remember(message)
        version = version_of(message)
        async with handled.lock:
            handled.version = version
            if not may_unfurl(message):
                await self._answer(message)
                return
        await asyncio.sleep(_UNFURLING_SECONDS)
        async with handled.lock:
            if handled.version == version:  # otherwise it was handled in the meantime, with its embed
                await self._answer(message)

    async def handle_update(self, message: discord.Message) -> None:
        """Handle a changed message: it was edited, or Discord has resolved its link.

        This lets people add a forgotten mention or correct an option; once the picture has been delivered an edit is
        ignored.
        """
        if message.author.bot or message.is_system() or not self._is_for_us(message):
            return
        handled = self._handled.remember(message)
        async with handled.lock:
            if handled.version == version_of(message):  # for example, it was pinned
                return
            before, handled.version = handled.version, version_of(message)
            job = await self._client.jobs.by_request(message.author.id, message.id)
            if should_handle_again(message, before, job):
                await self._answer(message)

    async def _answer(self, message: discord.Message) -> None:
        try:
            if (text := await self._orders.answer(message)) is not None:
                await self._say(message, text)
        except (Refused, StorageTrouble, GenerationError) as error:
            self._client.metrics.refused(error)
            note_trouble(error)
            await self._say(message, replies.error_sentence(error) or "")
        except Exception as error:
            if isinstance(error, discord.HTTPException) and not is_temporary(error):
                # Its author has deleted it in the meantime, or the bot may no longer write there.
                log.info("a message could not be answered (%s, %s)", error.status, error.code)
                return
            # The last resort, as for interactions: the person is told, the log has the stack under the same reference.
            self._client.metrics.errors.inc()
            reference = new_reference()
            log.error("handling a message failed [%s]\n%s", reference, stack_of(error))
            await self._say(message, replies.unknown_error(reference))

    def _is_for_us(self, message: discord.Message) -> bool:
        return message.guild is None or any(user == self._client.user for user in message.mentions)

    async def _say(self, message: discord.Message, text: str) -> None:
        """Answer with a sentence; each member gets one at a time.

        A member who writes faster than Discord lets the bot answer must not fill the request queue that others' results
        need.
        """
        if message.author.id in self._answering or not _may_be_answered(message):
            return
        self._answering.add(message.author.id)
        try:
            await _answer_with(message, text)
        except discord.HTTPException as error:
            log.info("a message could not be answered (%s)", error.status)
        except (aiohttp.ClientError, OSError) as error:
            log.info("a message could not be answered (%s)", type(error).__name__)
        finally:
            self._answering.discard(message.author.id)


async def _answer_with(message: discord.Message, text: str) -> None:
    try:
        await message.reply(replies.fitting(text), mention_author=False)
    except discord.HTTPException as error:
        if error.code != NO_HISTORY:
            raise
        await message.channel.send(replies.fitting(f"{message.author.mention} {text}"))


def _may_be_answered(message: discord.Message) -> bool:
    """Return whether Discord would accept an answer; refusals count towards a ban of the bot's IP address."""
    needed = {"view_channel", "connect", "send_messages", "send_messages_in_threads"}
    return message.guild is None or needed.isdisjoint(Origin.of_message(message).missing_permissions)
