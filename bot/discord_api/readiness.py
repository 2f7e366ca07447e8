"""A client that is ready as soon as all its servers have arrived."""

from typing import Any

import discord
from discord.state import ConnectionState

_NO_WAIT_SECONDS = 0.001  # enough to take what has already arrived


class EagerState(ConnectionState[Any]):
    """Connection state that waits for another server only while one is missing.

    discord.py 2.7.1 considers itself ready once no server has arrived for two seconds, even if all are there, which
    delays every start. Source: ``ConnectionState._delay_ready``, which reads this timeout before each server.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._usual_timeout_seconds = self.guild_ready_timeout

    def parse_ready(self, data: Any) -> None:
        """Handle READY, which lists the servers."""
        super().parse_ready(data)
        self._wait_while_one_is_missing()

    def parse_guild_create(self, data: Any) -> None:
        """Handle the arrival of a server."""
        super().parse_guild_create(data)
        self._wait_while_one_is_missing()

    def _wait_while_one_is_missing(self) -> None:
        is_missing_one = any(guild.unavailable for guild in self.guilds)
        self.guild_ready_timeout = self._usual_timeout_seconds if is_missing_one else _NO_WAIT_SECONDS


class EagerClient(discord.Client):
    """A client that is ready as soon as all its servers have arrived; it waits as usual for one with an outage."""

    def _get_state(self, **options: Any) -> EagerState:
        return EagerState(dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options)
