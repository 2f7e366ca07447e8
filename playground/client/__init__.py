"""Start a stand-in and drive it from Python: act as its members, wait for what the bot does, break things."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from playground.client.acting import Acting
from playground.client.looking import Looking
from playground.client.process import ServerProcess
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


class PlaygroundClient(Acting, Looking, Staging):
    """Talk to the control API of a running stand-in at ``address`` (``http://127.0.0.1:PORT``)."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class PlaygroundServer(ServerProcess):
    """Run ``python -m playground.server`` for as long as the ``async with`` block lasts, with a client for it."""

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
