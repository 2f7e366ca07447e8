"""Reading the state and waiting for changes, by events and never by polling."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from playground.client.records import Call, Interaction, Message
from playground.client.transport import PlaygroundError, Transport
from playground.models import Json

_LONG_POLL_SECONDS = 20.0
_TIMEOUT_SECONDS = 300.0  # generous, for a machine that others share; callers can pass less


class Queries(Transport):
    """Read access to everything, hidden or not, and ways to wait for it."""

    async def state(self) -> Json:
        """Return the members, the channels, the commands, and whether the bot is ready."""
        return await self.get("state")

    async def interaction(self, interaction_id: str | int) -> Interaction:
        """Return the current state of an interaction."""
        return Interaction.read(await self.get("interaction", id=str(interaction_id)))

    async def messages(self, channel: str = "general", *, member: str | None = None) -> list[Message]:
        """Return the messages of a channel, oldest first; with ``member`` only those that they can see."""
        return (await self._snapshot(channel, member))[0]

    async def _snapshot(self, channel: str, member: str | None = None) -> tuple[list[Message], int]:
        query = {"channel": channel} | ({"member": member} if member else {})
        answer = await self.get("messages", **query)
        return [Message.read(message) for message in answer["messages"]], answer["last_event"]

    async def message(self, message_id: str | int) -> Message:
        """Return a message, even a deleted one (see ``deleted``)."""
        return Message.read(await self.get("message", id=str(message_id)))

    async def calls(self, method: str | None = None, path_pattern: str | None = None) -> list[Call]:
        """Return the REST calls of the bot whose method and path (below /api/v10) match."""
        answer = await self.get("calls")
        return [
            Call(**call)
            for call in answer["calls"]
            if method in (None, call["method"]) and (path_pattern is None or re.search(path_pattern, call["path"]))
        ]

    async def stats(self) -> Json:
        """Return the counters: identifies, resumes, invalid requests, the stand-in's own violations, faults."""
        return await self.get("stats")

    async def download(self, url: str) -> bytes:
        """Return the bytes behind a CDN URL. Raises PlaygroundError 404 once it has expired."""
        async with self.open().get(url) as response:
            if response.status != 200:
                raise PlaygroundError(response.status, 0, await response.text(), None)
            return await response.read()

    async def schema_violations(self, schema: str, body: Any) -> list[Json]:
        """Return how ``body`` violates a schema of Discord's OpenAPI document."""
        return (await self.post("judge", {"schema": schema, "body": body}))["violations"]

    async def wait_until_bot_ready(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Return when a bot has identified and its commands are registered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while not (state := await self.get("state"))["ready"]:
                await self.events(state["last_event"])

    async def wait_until_bot_gone(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Return when no bot is connected to the gateway. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while (state := await self.get("state"))["connected"]:
                await self.events(state["last_event"])

    async def wait_for_reconnection(self, before: Json, timeout_seconds: float = _TIMEOUT_SECONDS) -> tuple[int, int]:
        """Wait until a session was resumed or started since the ``stats`` before; return how many there were of each.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_seconds):
            while True:
                state, now = await self.get("state"), await self.stats()
                resumed, begun = (now[name] - before[name] for name in ("resumes", "identifies"))
                if (resumed or begun) and state["connected"]:
                    return resumed, begun
                await self.events(state["last_event"])

    async def events(self, after: int) -> list[Json]:
        return (await self.get("events", after=after, timeout=_LONG_POLL_SECONDS))["events"]

    async def wait_for_message(
        self,
        predicate: Callable[[Message], bool],
        *,
        channel: str = "general",
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> Message:
        """Return the first message in the channel, existing or new, edited or deleted, that matches.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_seconds):
            messages, last = await self._snapshot(channel)
            for message in messages:
                if predicate(message):
                    return message
            names = {message.channel for message in messages} or {channel.removeprefix("#")}
            while True:
                for event in await self.events(last):
                    last = event["number"]
                    if not event["kind"].startswith("message_"):
                        continue
                    message = Message.read(event["data"])
                    if message.channel in names and predicate(message):
                        return message

    async def wait_for_edit(
        self,
        message_id: str | int,
        predicate: Callable[[Message], bool] = lambda message: message.edited_count > 0,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> Message:
        """Return a message as soon as it matches, perhaps after edits or its deletion. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            last = (await self.get("state"))["last_event"]
            message = await self.message(message_id)
            while not predicate(message):
                for event in await self.events(last):
                    last = event["number"]
                    if event["kind"].startswith("message_") and event["data"]["id"] == str(message_id):
                        message = Message.read(event["data"])
                        if predicate(message):
                            break
            return message

    async def wait_for_interaction(
        self,
        interaction_id: str | int,
        predicate: Callable[[Interaction], bool],
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> Interaction:
        """Return an interaction as soon as it matches. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self.get("state"))["last_event"]
                interaction = await self.interaction(interaction_id)
                if predicate(interaction):
                    return interaction
                await self.events(last)

    async def wait_for_call(
        self, method: str, path_pattern: str, *, timeout_seconds: float = _TIMEOUT_SECONDS, count: int = 1
    ) -> list[Call]:
        """Return the matching calls as soon as ``count`` of them have been answered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self.get("state"))["last_event"]
                calls = [call for call in await self.calls(method, path_pattern) if call.status]
                if len(calls) >= count:
                    return calls
                await self.events(last)

    async def wait_for_fault(self, fault_id: int, *, hits: int = 1, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Return when a fault has struck ``hits`` times. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self.get("state"))["last_event"]
                faults = (await self.stats())["faults"]
                if any(fault["id"] == fault_id and fault["hits"] >= hits for fault in faults):
                    return
                await self.events(last)
