"""A member's input as the options of a command; what Discord's own client would not send is rejected."""

from __future__ import annotations

import contextlib
from typing import Any

from playground import errors, limits
from playground.context import Playground
from playground.files import Upload
from playground.models import Channel, Json, User
from playground.wire import channel_json, member_json, role_json, user_json

SUB_COMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)


class OptionBuilder:
    """Builds a command's ``options`` and ``resolved`` from plain values and uploads, following its definition."""

    def __init__(self, playground: Playground, user: User, channel: Channel, uploads: dict[str, Upload]) -> None:
        self._playground = playground
        self._user = user
        self._channel = channel
        self._uploads = uploads
        self.resolved: Json = {}

    def build(self, definitions: list[Json], values: dict[str, Any], *, focused: str | None = None) -> list[Json]:
        """Return the options. With ``focused`` they are those of an autocomplete, where none is required yet.

        Raises DiscordError 50035 with the option's name for a value that Discord's client would not send.
        """
        known = {definition["name"] for definition in definitions}
        for name in (*values, *self._uploads):
            if name not in known:
                raise errors.invalid_field(f"options.{name}", "OPTION_UNKNOWN", "The command has no such option.")
        options: list[Json] = []
        for definition in definitions:
            name = definition["name"]
            if name in self._uploads and definition["type"] == ATTACHMENT:
                options.append({"name": name, "type": ATTACHMENT, "value": self._attach(self._uploads[name])})
            elif values.get(name) is not None:
                if name == focused:
                    options.append({"name": name, "type": definition["type"], "value": values[name], "focused": True})
                else:
                    options.append(
                        {"name": name, "type": definition["type"], "value": self._value(definition, values[name])}
                    )
            elif definition.get("required") and focused is None:
                raise errors.invalid_field(f"options.{name}", "BASE_TYPE_REQUIRED", "This option is required.")
        return options

    def _attach(self, upload: Upload) -> str:
        if len(upload.data) > self._playground.world.max_file_bytes(self._channel):
            raise errors.entity_too_large()
        folder = f"ephemeral-attachments/{self._playground.world.application_id}"
        attachment = self._playground.files.add(folder, upload, ephemeral=True)
        described = self._playground.writer.attachment(attachment)
        self.resolved.setdefault("attachments", {})[str(attachment.id)] = described
        return str(attachment.id)

    def _value(self, definition: Json, value: Any) -> Any:
        kind, name = definition["type"], definition["name"]
        if kind in (INTEGER, NUMBER):
            value = _number(value, name, whole=kind == INTEGER)
            low, high = definition.get("min_value"), definition.get("max_value")
            if (low is not None and value < low) or (high is not None and value > high):
                words = f"The value must be between {low} and {high}."
                raise errors.invalid_field(f"options.{name}", "NUMBER_TYPE_MAX", words)
        elif kind == STRING:
            value = str(value)
            low, high = definition.get("min_length") or 0, definition.get("max_length") or 6000
            if not low <= len(value) <= high:
                words = f"Must be between {low} and {high} in length."
                raise errors.invalid_field(f"options.{name}", "BASE_TYPE_BAD_LENGTH", words)
        elif kind == BOOLEAN:
            return value if isinstance(value, bool) else str(value).lower() in ("true", "1", "yes")
        elif kind in (USER, MENTIONABLE):
            return self._user_value(str(value))
        elif kind == CHANNEL:
            channel = self._playground.world.channel_named(str(value), self._user)
            if int(channel.type) not in (definition.get("channel_types") or [int(channel.type)]):
                raise errors.invalid_field(f"options.{name}", "CHANNEL_TYPE_INVALID", "Not a channel of this kind.")
            permissions = int(self._playground.world.permissions(channel, self._user.id))
            shown = channel_json(self._playground.world, channel) | {"permissions": str(permissions)}
            self.resolved.setdefault("channels", {})[str(channel.id)] = shown
            return str(channel.id)
        elif kind == ROLE:
            roles = self._playground.world.guild.roles.values()
            role = next((role for role in roles if str(value) in (role.name, str(role.id))), None)
            if role is None:
                raise errors.DiscordError(404, 10011, "Unknown Role")
            self.resolved.setdefault("roles", {})[str(role.id)] = role_json(role)
            return str(role.id)
        elif kind == ATTACHMENT:
            raise errors.invalid_field(f"options.{name}", "BASE_TYPE_REQUIRED", "This option needs a file.")
        choices = [choice["value"] for choice in definition.get("choices") or []]
        if choices and value not in choices:
            words = f"Value must be one of {{{', '.join(map(repr, choices))}}}."
            raise errors.invalid_field(f"options.{name}", "BASE_TYPE_CHOICES", words)
        return value

    def _user_value(self, value: str) -> str:
        world = self._playground.world
        user = world.user_named(value)
        self.resolved.setdefault("users", {})[str(user.id)] = user_json(user)
        if (member := world.guild.members.get(user.id)) is not None:
            permissions = int(world.permissions(self._channel, user.id))
            shown = member_json(member, with_user=False) | {"permissions": str(permissions)}
            self.resolved.setdefault("members", {})[str(user.id)] = shown
        return str(user.id)


def _number(value: Any, name: str, *, whole: bool) -> int | float:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = int(value) if whole else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and value != int(value)):
        raise errors.invalid_field(f"options.{name}", "NUMBER_TYPE_COERCE", f"Value {value!r} is not a number.")
    return int(value) if whole else float(value)


def descend(definition: Json, words: list[str]) -> tuple[list[Json], list[tuple[str, int]]]:
    """Follow the words after a command's name through its groups; return the leaf's options and the path to it."""
    options: list[Json] = definition.get("options") or []
    way: list[tuple[str, int]] = []
    for word in words:
        child = next((o for o in options if o["name"] == word and o["type"] in (SUB_COMMAND, GROUP)), None)
        if child is None:
            raise errors.unknown_command()
        way.append((word, child["type"]))
        options = child.get("options") or []
    if any(option["type"] in (SUB_COMMAND, GROUP) for option in options):
        raise errors.unknown_command()
    return options, way


def wrap(options: list[Json], way: list[tuple[str, int]]) -> list[Json]:
    """Nest the options of a subcommand in the subcommands that lead to it."""
    for name, kind in reversed(way):
        options = [{"name": name, "type": kind, "options": options}]
    return options


def first_choices(choices: list[Json]) -> list[Json]:
    """Return the first choices, as many as a client shows."""
    return choices[: limits.AUTOCOMPLETE_CHOICES]
