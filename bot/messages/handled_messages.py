"""Which messages were handled, and in which version: Discord reports a message again when it changes."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import discord

from bot.orders.sources import source_in
from bot.storage.job import Job, JobState

_STILL_NEW = timedelta(minutes=15)
_MAX_REMEMBERED = 1000


class Version(NamedTuple):
    """What distinguishes versions of a message: its last edit and its number of embeds."""

    edited_at: datetime | None
    embeds: int


@dataclass(slots=True)
class HandledMessage:
    """A handled message and its handled version; the lock is held while one is being handled."""

    version: Version | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class HandledMessages:
    """The most recent messages that were meant for the bot."""

    def __init__(self) -> None:
        self._handled: dict[int, HandledMessage] = {}

    def remember(self, message: discord.Message) -> HandledMessage:
        """Return the record of a message, creating it if necessary."""
        if message.id not in self._handled and len(self._handled) >= _MAX_REMEMBERED:
            del self._handled[next(iter(self._handled))]
        return self._handled.setdefault(message.id, HandledMessage())


def version_of(message: discord.Message) -> Version:
    """Return the version of a message."""
    return Version(message.edited_at, len(message.embeds))


def should_handle_again(message: discord.Message, before: Version | None, job: Job | None) -> bool:
    """Return whether to handle a changed message again; ``job`` is the newest job that it has led to, if any.

    A change that is not an edit, such as a pin, does not affect a job. An edit counts while the job is open and, if the
    job failed or was cancelled, while the message is new. Once a picture is delivered, it is changed by a reply
    instead.
    """
    is_new = discord.utils.utcnow() - message.created_at <= _STILL_NEW
    if job is None:
        return is_new
    was_edited = message.edited_at != (None if before is None else before.edited_at)
    return was_edited and (is_new or not job.state.is_settled) and job.state is not JobState.DELIVERED


def may_unfurl(message: discord.Message) -> bool:
    """Return whether a message's picture may be behind a link that Discord has not resolved yet."""
    has_link = "https://" in message.content or "http://" in message.content
    return has_link and message.reference is None and not message.embeds and source_in(message) is None
