"""Actions of a member: write, run commands, press buttons, fill in modals, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from playground.client.records import Interaction, Message, Shown
from playground.client.transport import PlaygroundError, Transport
from playground.models import Json

OptionValue = str | int | float | bool | bytes | Path
File = bytes | Path | tuple[str, bytes]


class MemberActions(Transport):
    """What members can do in Discord's client."""

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
        """Run a slash command and return it once acknowledged or failed (``wait=False``: as soon as it is sent).

        Options given as bytes or paths are uploaded as attachments. Raises PlaygroundError for what Discord's client
        would not send: unknown or missing options, values outside their range, commands that are not available here.
        """
        plain, files = await _unpacked(options or {}, filename)
        arguments = {"name": name, "options": plain, "member": member, "channel": channel, "wait": wait}
        return Interaction.read(await self.post("command", arguments, files))

    async def burst(
        self,
        name: str,
        options: Mapping[str, OptionValue] | None = None,
        *,
        times: int,
        members: Sequence[str] = ("Ada",),
        channels: Sequence[str] = ("general",),
    ) -> list[Interaction]:
        """Run a slash command many times at once, cycling through the members and channels.

        Returns all of them once acknowledged or failed.
        """
        plain, files = await _unpacked(options or {}, None)
        arguments = {"name": name, "options": plain, "times": times, "members": [*members], "channels": [*channels]}
        return [Interaction.read(entry) for entry in (await self.post("burst", arguments, files))["interactions"]]

    async def message_command(
        self, name: str, message_id: str | int, *, member: str = "Ada", wait: bool = True
    ) -> Interaction:
        """Choose a command from a message's context menu."""
        arguments = {"name": name, "message_id": str(message_id), "member": member, "wait": wait}
        return Interaction.read(await self.post("message_command", arguments))

    async def user_command(
        self, name: str, target: str, *, member: str = "Ada", channel: str = "general", wait: bool = True
    ) -> Interaction:
        """Choose a command from a member's context menu."""
        arguments = {"name": name, "target": target, "member": member, "channel": channel, "wait": wait}
        return Interaction.read(await self.post("user_command", arguments))

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
        return Interaction.read(await self.post("press", arguments | {"values": list(values), "wait": wait}))

    async def submit_modal(
        self, interaction: Interaction, values: Mapping[str, str | list[str]], *, member: str = "Ada", wait: bool = True
    ) -> Interaction:
        """Submit the modal that ``interaction`` opened; fields that are not named keep their prefilled values."""
        arguments = {"interaction_id": interaction.id, "values": dict(values), "member": member, "wait": wait}
        return Interaction.read(await self.post("submit_modal", arguments))

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
        """Return the choices (``name``, ``value``) that the bot offers for the text typed so far."""
        arguments: Json = {"name": name, "option": option, "value": value, "member": member, "channel": channel}
        answer = await self.post("autocomplete", arguments | {"options": dict(options or {})})
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
        return Message.read(await self.post("say", arguments, named))

    async def edit_message(self, message_id: str | int, content: str, *, member: str = "Ada") -> Message:
        """Edit a member's own message."""
        arguments = {"message_id": str(message_id), "content": content, "member": member}
        return Message.read(await self.post("edit", arguments))

    async def delete_message(self, message_id: str | int, *, member: str = "Ada") -> None:
        """Delete a message as a member: their own, or any with Manage Messages."""
        await self.post("delete", {"message_id": str(message_id), "member": member})


async def _unpacked(
    options: Mapping[str, OptionValue], filename: str | None
) -> tuple[Json, dict[str, tuple[str, bytes]]]:
    """Split the options into plain values and files."""
    plain: Json = {}
    files: dict[str, tuple[str, bytes]] = {}
    for key, value in options.items():
        if isinstance(value, bytes | Path):
            files[key] = await _named(value, filename)
        else:
            plain[key] = value
    return plain, files


async def _named(file: File, filename: str | None) -> tuple[str, bytes]:
    if isinstance(file, tuple):
        return file
    if isinstance(file, Path):
        return filename or file.name, await asyncio.to_thread(file.read_bytes)
    return filename or "picture.png", file
