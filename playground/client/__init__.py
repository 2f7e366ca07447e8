"""A Python client: start a stand-in, act as its members, wait for what the bot does, inject faults."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from playground.client.member_actions import MemberActions
from playground.client.process import ServerProcess
from playground.client.queries import Queries
from playground.client.records import (
    Attachment,
    Call,
    FaultAction,
    GatewayAction,
    Interaction,
    Message,
    Reference,
    Shown,
)
from playground.client.staging import Staging
from playground.client.transport import PlaygroundError

__all__ = [
    "Attachment",
    "Call",
    "FaultAction",
    "GatewayAction",
    "Interaction",
    "Message",
    "PlaygroundClient",
    "PlaygroundError",
    "PlaygroundServer",
    "Reference",
    "Shown",
]


class PlaygroundClient(MemberActions, Queries, Staging):
    """A client of the control API of a running stand-in at ``address`` (``http://127.0.0.1:PORT``)."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class PlaygroundServer(ServerProcess):
    """Runs ``python -m playground.server`` for the duration of the ``async with`` block, with a client for it."""

    client: PlaygroundClient

    async def __aenter__(self) -> Self:
        await self.start()
        self.client = PlaygroundClient(self.address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.client.close()
        await self.stop()
