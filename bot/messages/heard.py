"""Which messages were handled, and in which version: Discord reports each again when it changes."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import discord

from bot.orders.sources import source_in

_STILL_NEW = timedelta(minutes=15)
_MOST_REMEMBERED = 1000

Version = tuple[object, ...]


@dataclass(slots=True)
class Heard:
    """A message that was handled, and in which version; the lock is held while one is handled."""

    version: Version | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class HeardMessages:
    """The most recent messages that were for the bot."""

    def __init__(self) -> None:
        self._heard: dict[int, Heard] = {}

    def remember(self, message: discord.Message) -> Heard:
        """Return the record of a message, a new one if there is none."""
        if message.id not in self._heard and len(self._heard) >= _MOST_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return self._heard.setdefault(message.id, Heard())


def version_of(message: discord.Message) -> Version:
    """Return what distinguishes versions of a message: its last edit and the number of its embeds."""
    return message.edited_at, len(message.embeds)


def is_new(message: discord.Message) -> bool:
    """Tell whether a message is new enough for its writer to wait for an answer."""
    return discord.utils.utcnow() - message.created_at <= _STILL_NEW


def may_unfold(message: discord.Message) -> bool:
    """Tell whether the picture of a message may be behind a link that Discord has not resolved yet."""
    has_link = "https://" in message.content or "http://" in message.content
    return has_link and message.reference is None and not message.embeds and source_in(message) is None
