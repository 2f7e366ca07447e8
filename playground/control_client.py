"""Drive a stand-in from Python: act as its members, wait for what the bot does, break things."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from playground.models import Json
from playground.records import Call, FaultAction, GatewayAction, Interaction, Message, Shown

OptionValue = str | int | float | bool | bytes | Path
File = bytes | Path | tuple[str, bytes]
_POLL_SECONDS = 20.0


class PlaygroundError(Exception):
    """Carry what the stand-in refused: a member's act that Discord's client would not let happen, or a wrong call."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None) -> None:
        super().__init__(f"{status} ({code}): {message}{f' {errors}' if errors else ''}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors


class PlaygroundClient:
    """Talk to the control API of a running stand-in at ``address`` (``http://127.0.0.1:PORT``)."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the stand-in."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10))
        return self._session

    async def _get(self, name: str, **query: str | int | float) -> Json:
        async with self._open().get(f"{self._address}/control/{name}", params=query) as response:
            return await _answer(response)

    async def _post(self, name: str, arguments: Json, files: Mapping[str, tuple[str, bytes]] | None = None) -> Json:
        url = f"{self._address}/control/{name}"
        if not files:
            async with self._open().post(url, json=arguments) as response:
                return await _answer(response)
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("json", json.dumps(arguments), content_type="application/json")
        for field, (filename, data) in files.items():
            form.add_field(field, data, filename=filename, content_type="application/octet-stream")
        async with self._open().post(url, data=form) as response:
            return await _answer(response)

    # What members do
    async def command(
        self,
        name: str,
        options: Mapping[str, OptionValue] | None = None,
        *,
        member: str = "Ada",
        channel: str = "general",
        filename: str | None = None,
        wait: bool = True,
    ) -> Interaction:
        """Run a slash command and return it as acknowledged or failed (``wait=False``: as just sent).

        Options given as bytes or paths are uploaded as attachments. Raises PlaygroundError for what Discord's client
        would not send: unknown or missing options, values outside their range, commands that are not offered here.
        """
        plain: Json = {}
        files: dict[str, tuple[str, bytes]] = {}
        for key, value in (options or {}).items():
            if isinstance(value, bytes | Path):
                files[key] = await _named(value, filename)
            else:
                plain[key] = value
        arguments = {"name": name, "options": plain, "member": member, "channel": channel, "wait": wait}
        return Interaction.read(await self._post("command", arguments, files))

    async def message_command(
        self, name: str, message_id: str | int, *, member: str = "Ada", wait: bool = True
    ) -> Interaction:
        """Pick a command from a message's context menu."""
        arguments = {"name": name, "message_id": str(message_id), "member": member, "wait": wait}
        return Interaction.read(await self._post("message_command", arguments))

    async def user_command(
        self, name: str, target: str, *, member: str = "Ada", channel: str = "general", wait: bool = True
    ) -> Interaction:
        """Pick a command from a member's context menu."""
        arguments = {"name": name, "target": target, "member": member, "channel": channel, "wait": wait}
        return Interaction.read(await self._post("user_command", arguments))

    async def press(
        self,
        message_id: str | int,
        custom_id_or_label: str,
        *,
        member: str = "Ada",
        values: Sequence[str] = (),
        wait: bool = True,
    ) -> Interaction:
        """Press a button, or choose ``values`` in a select menu."""
        arguments: Json = {"message_id": str(message_id), "component": custom_id_or_label, "member": member}
        return Interaction.read(await self._post("press", arguments | {"values": list(values), "wait": wait}))

    async def submit_modal(
        self, interaction: Interaction, values: Mapping[str, str | list[str]], *, member: str = "Ada", wait: bool = True
    ) -> Interaction:
        """Send the modal that ``interaction`` opened; fields that are not named keep what they were filled with."""
        arguments = {"interaction_id": interaction.id, "values": dict(values), "member": member, "wait": wait}
        return Interaction.read(await self._post("submit_modal", arguments))

    async def autocomplete(
        self,
        name: str,
        option: str,
        value: str,
        *,
        member: str = "Ada",
        channel: str = "general",
        options: Mapping[str, str | int | float | bool] | None = None,
    ) -> list[Json]:
        """Return the choices (``name``, ``value``) that the bot offers for what was typed so far."""
        arguments: Json = {"name": name, "option": option, "value": value, "member": member, "channel": channel}
        answer = await self._post("autocomplete", arguments | {"options": dict(options or {})})
        if answer["failed"]:
            raise PlaygroundError(504, 0, "the bot did not answer the autocomplete within 3 seconds", None)
        return answer["choices"]

    async def say(
        self,
        content: str = "",
        *,
        member: str = "Ada",
        channel: str = "general",
        files: Sequence[File] = (),
        reply_to: str | int | None = None,
        ping: bool = True,
        referenced: Shown = "filled",
        embeds: Sequence[Json] = (),
    ) -> Message:
        """Write a message. ``@Name`` becomes a mention; ``referenced`` is how the bot sees the replied-to message."""
        named = {f"file{number}": await _named(file, None) for number, file in enumerate(files)}
        arguments: Json = {"content": content, "member": member, "channel": channel, "ping": ping}
        arguments |= {"referenced": referenced, "embeds": list(embeds)}
        if reply_to is not None:
            arguments["reply_to"] = str(reply_to)
        return Message.read(await self._post("say", arguments, named))

    async def edit_message(self, message_id: str | int, content: str, *, member: str = "Ada") -> Message:
        """Edit a member's own message."""
        arguments = {"message_id": str(message_id), "content": content, "member": member}
        return Message.read(await self._post("edit", arguments))

    async def delete_message(self, message_id: str | int, *, member: str = "Ada") -> None:
        """Delete a message as a member: one's own, or any with Manage Messages."""
        await self._post("delete", {"message_id": str(message_id), "member": member})

    # What there is
    async def state(self) -> Json:
        """Return the members, channels, commands and whether the bot is ready."""
        return await self._get("state")

    async def interaction(self, interaction_id: str | int) -> Interaction:
        """Return how an interaction stands now."""
        return Interaction.read(await self._get("interaction", id=str(interaction_id)))

    async def messages(self, channel: str = "general", *, member: str | None = None) -> list[Message]:
        """Return the messages of a channel, oldest first; with ``member`` only those that they can see."""
        return (await self._snapshot(channel, member))[0]

    async def _snapshot(self, channel: str, member: str | None = None) -> tuple[list[Message], int]:
        query = {"channel": channel} | ({"member": member} if member else {})
        answer = await self._get("messages", **query)
        return [Message.read(message) for message in answer["messages"]], answer["last_event"]

    async def message(self, message_id: str | int) -> Message:
        """Return a message, even a deleted one (``deleted`` tells)."""
        return Message.read(await self._get("message", id=str(message_id)))

    async def calls(self, method: str | None = None, path_pattern: str | None = None) -> list[Call]:
        """Return the REST calls of the bot whose method and path (below /api/v10) match."""
        answer = await self._get("calls")
        return [
            Call(**call)
            for call in answer["calls"]
            if method in (None, call["method"]) and (path_pattern is None or re.search(path_pattern, call["path"]))
        ]

    async def stats(self) -> Json:
        """Return the counters: identifies, resumes, invalid requests, violations of the stand-in itself, faults."""
        return await self._get("stats")

    async def download(self, url: str) -> bytes:
        """Return the bytes behind an address of the CDN. Raises PlaygroundError 404 once it has expired."""
        async with self._open().get(url) as response:
            if response.status != 200:
                raise PlaygroundError(response.status, 0, await response.text(), None)
            return await response.read()

    async def schema_violations(self, schema: str, body: Any) -> list[Json]:
        """Return what is wrong with ``body`` by a schema of Discord's OpenAPI document."""
        return (await self._post("judge", {"schema": schema, "body": body}))["violations"]

    # Waiting
    async def wait_until_bot_ready(self, timeout_seconds: float = 60) -> None:
        """Return when a bot has identified and its commands are registered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while not (state := await self._get("state"))["ready"]:
                await self._events(state["last_event"])

    async def wait_until_bot_gone(self, timeout_seconds: float = 60) -> None:
        """Return when no bot is connected to the gateway. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while (state := await self._get("state"))["connected"]:
                await self._events(state["last_event"])

    async def _events(self, after: int) -> list[Json]:
        return (await self._get("events", after=after, timeout=_POLL_SECONDS))["events"]

    async def wait_for_message(
        self, predicate: Callable[[Message], bool], *, channel: str = "general", timeout_seconds: float = 120
    ) -> Message:
        """Return the first message of the channel, there already or new, edited or deleted, that fits.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_seconds):
            messages, last = await self._snapshot(channel)
            for message in messages:
                if predicate(message):
                    return message
            names = {message.channel for message in messages} or {channel.removeprefix("#")}
            while True:
                for event in await self._events(last):
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
        timeout_seconds: float = 120,
    ) -> Message:
        """Return a message as soon as it, edited or deleted meanwhile, fits. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            last = (await self._get("state"))["last_event"]
            message = await self.message(message_id)
            while not predicate(message):
                for event in await self._events(last):
                    last = event["number"]
                    if event["kind"].startswith("message_") and event["data"]["id"] == str(message_id):
                        message = Message.read(event["data"])
                        if predicate(message):
                            break
            return message

    async def wait_for_interaction(
        self, interaction_id: str | int, predicate: Callable[[Interaction], bool], timeout_seconds: float = 120
    ) -> Interaction:
        """Return an interaction as soon as it fits. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self._get("state"))["last_event"]
                interaction = await self.interaction(interaction_id)
                if predicate(interaction):
                    return interaction
                await self._events(last)

    async def wait_for_call(
        self, method: str, path_pattern: str, *, timeout_seconds: float = 60, count: int = 1
    ) -> list[Call]:
        """Return the matching calls as soon as ``count`` of them have been answered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self._get("state"))["last_event"]
                calls = [call for call in await self.calls(method, path_pattern) if call.status]
                if len(calls) >= count:
                    return calls
                await self._events(last)

    async def wait_for_fault(self, fault_id: int, *, hits: int = 1, timeout_seconds: float = 60) -> None:
        """Return when a fault has struck ``hits`` times. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                last = (await self._get("state"))["last_event"]
                faults = (await self.stats())["faults"]
                if any(fault["id"] == fault_id and fault["hits"] >= hits for fault in faults):
                    return
                await self._events(last)

    # What tests do to the place
    async def advance_clock(self, seconds: float) -> None:
        """Move the stand-in's clock forward."""
        await self._post("advance_clock", {"seconds": seconds})

    async def add_fault(
        self,
        path_pattern: str,
        *,
        method: str | None = None,
        action: FaultAction = "status",
        status: int = 500,
        retry_after_seconds: float = 0.1,
        is_global: bool = False,
        times: int | None = 1,
    ) -> int:
        """Make requests whose path matches fail ``times`` times (None: until cleared) and return the fault's id."""
        arguments: Json = {
            "path_pattern": path_pattern,
            "method": method,
            "action": action,
            "status": status,
            "retry_after_seconds": retry_after_seconds,
            "is_global": is_global,
            "times": times,
        }
        return (await self._post("add_fault", arguments))["id"]

    async def clear_faults(self, fault_id: int | None = None) -> None:
        """Remove one fault or all; requests that hang on them go on."""
        await self._post("clear_faults", {"id": fault_id})

    async def set_rate_limit(self, pattern: str | None, *, limit: int = 5, per_seconds: float = 5.0) -> None:
        """Limit the routes ("POST /channels/{channel_id}/messages") that match; None returns to the defaults."""
        await self._post("set_rate_limit", {"pattern": pattern, "limit": limit, "per_seconds": per_seconds})

    async def gateway(self, action: GatewayAction) -> None:
        """Do something to the bot's gateway connection."""
        await self._post("gateway", {"action": action})

    async def set_permissions(
        self, channel: str, *, deny: Sequence[str] = (), allow: Sequence[str] = (), target: str = "bot"
    ) -> None:
        """Set the overwrite of the bot, a member or a role in a channel, by Discord's names ("ATTACH_FILES")."""
        arguments = {"channel": channel, "deny": list(deny), "allow": list(allow), "target": target}
        await self._post("set_permissions", arguments)

    async def set_upload_limit(self, max_file_bytes: int) -> None:
        """Set how large a file may be on the server."""
        await self._post("set_upload_limit", {"bytes": max_file_bytes})

    async def add_channel(self, name: str, *, age_restricted: bool = False) -> None:
        """Add a text channel."""
        await self._post("add_channel", {"name": name, "age_restricted": age_restricted})

    async def remove_channel(self, name: str) -> None:
        """Delete a channel with its messages."""
        await self._post("remove_channel", {"name": name})

    async def set_direct_messages(self, member: str, *, accepted: bool) -> None:
        """Let a member accept or refuse direct messages of the bot."""
        await self._post("set_direct_messages", {"member": member, "accepted": accepted})

    async def set_privileged_intents(self, intents: int) -> None:
        """Grant the application privileged intents (a bit field); one that is not granted closes with 4014."""
        await self._post("set_privileged_intents", {"intents": intents})

    async def set_url_lifetime(self, seconds: float) -> None:
        """Set for how long new addresses of files work."""
        await self._post("set_url_lifetime", {"seconds": seconds})


async def _answer(response: aiohttp.ClientResponse) -> Json:
    body = await response.json()
    if response.status >= 400:
        raise PlaygroundError(response.status, body.get("code", 0), body.get("message", ""), body.get("errors"))
    return body


async def _named(file: File, filename: str | None) -> tuple[str, bytes]:
    if isinstance(file, tuple):
        return file
    if isinstance(file, Path):
        return filename or file.name, await asyncio.to_thread(file.read_bytes)
    return filename or "picture.png", file
