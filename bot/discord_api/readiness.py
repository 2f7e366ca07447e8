"""The bot is ready as soon as all its servers are there."""

from typing import Any

import discord
from discord.state import ConnectionState

_AT_ONCE_SECONDS = 0.001  # what has arrived is still taken


class PromptState(ConnectionState[Any]):
    """What the library knows of Discord; it waits for a further server only while one is missing.

    discord.py 2.7.1 calls itself ready when no server has arrived for two seconds, also when there are no more: every
    start waited for them. Source: ``ConnectionState._delay_ready``, which asks for this time before each server.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._patience_seconds = self.guild_ready_timeout

    def parse_ready(self, data: Any) -> None:
        """Hear which servers there are."""
        super().parse_ready(data)
        self._wait_while_one_is_missing()

    def parse_guild_create(self, data: Any) -> None:
        """Hear of a server."""
        super().parse_guild_create(data)
        self._wait_while_one_is_missing()

    def _wait_while_one_is_missing(self) -> None:
        is_missing_one = any(guild.unavailable for guild in self.guilds)
        self.guild_ready_timeout = self._patience_seconds if is_missing_one else _AT_ONCE_SECONDS


class PromptClient(discord.Client):
    """A client that is ready as soon as all its servers are there; for one with an outage it waits as usual."""

    def _get_state(self, **options: Any) -> PromptState:
        return PromptState(
            dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options
        )
