"""What a member does in Discord's client: write, run commands, press buttons, fill in modals, delete."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from playground import errors
from playground.context import Playground
from playground.control.forms import SELECTS, filled_component, find_component
from playground.control.options import OptionBuilder, descend, wrap
from playground.files import Upload
from playground.installations import authorizing_owners
from playground.models import (
    CallbackType,
    Channel,
    Command,
    CommandType,
    Context,
    Interaction,
    InteractionType,
    Json,
    Message,
    Reference,
    User,
)
from playground.permissions import Permission, guild_permissions, seeing, sending
from playground.wire import user_json
from playground.wire_messages import is_interaction_response


class MemberActions:
    """Actions of a member of the server; what Discord's client would not allow raises a DiscordError."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._world = playground.world

    def place(self, member: str, channel: str, needed: Permission) -> tuple[User, Channel]:
        """Return a member and a channel in which they have the permissions ``needed``."""
        user = self._world.user_named(member)
        place = self._world.channel_named(channel, user)
        if place.is_direct and place.recipient_id != user.id:
            raise errors.missing_access()
        owned = self._world.permissions(place, user.id)
        if seeing(place) not in owned:
            raise errors.missing_access()
        if needed not in owned:
            raise errors.missing_permissions()
        return user, place

    def visible_message(self, user: User, message_id: str) -> Message:
        """Return a message if this user can see it."""
        message = self._world.messages.get(int(message_id)) if message_id.isdigit() else None
        if message is None or message.deleted or message.visible_to not in (None, user.id):
            raise errors.unknown_message()
        channel = self._world.channel(message.channel_id)
        if channel.is_direct and channel.recipient_id != user.id:
            raise errors.missing_access()
        if Permission.VIEW_CHANNEL not in self._world.permissions(channel, user.id):
            raise errors.missing_access()
        return message

    def say(
        self,
        member: str,
        channel: str,
        content: str,
        files: list[Upload],
        *,
        reply_to: str | None = None,
        ping: bool = True,
        shown: str = "filled",
        embeds: list[Json] | None = None,
    ) -> Message:
        """Write a message; ``@Name`` in it becomes a mention. ``shown`` is how the bot sees the replied-to message."""
        user, place = self.place(member, channel, Permission.ATTACH_FILES if files else Permission(0))
        if sending(place) not in self._world.permissions(place, user.id):
            raise errors.missing_permissions()
        reference = None
        if reply_to is not None:
            target = self.visible_message(user, reply_to)
            if target.ephemeral or target.channel_id != place.id:
                raise errors.unknown_message()
            ping = ping and not is_interaction_response(target)
            reference = Reference(channel_id=place.id, message_id=target.id, shown=shown)
        payload: Json = {
            "content": self._with_mentions(content),
            "embeds": embeds or [],
            "allowed_mentions": {"parse": ["users", "roles", "everyone"], "replied_user": ping},
        }
        uploads = dict(enumerate(files))
        return self._playground.messages.create(place, user, payload, uploads, reference=reference)

    def _with_mentions(self, text: str) -> str:
        names = sorted(self._world.users.values(), key=lambda user: -len(user.name))
        pattern = re.compile("@(" + "|".join(re.escape(user.name) for user in names) + r")(?!\w)")
        ids = {user.name: user.id for user in names}
        return pattern.sub(lambda match: f"<@{ids[match[1]]}>", text)

    def delete(self, member: str, message_id: str) -> None:
        """Delete the member's own message, any message with Manage Messages, or dismiss an ephemeral one."""
        user = self._world.user_named(member)
        message = self.visible_message(user, message_id)
        channel = self._world.channel(message.channel_id)
        allowed = message.author.id == user.id or message.visible_to == user.id
        if not allowed and Permission.MANAGE_MESSAGES not in self._world.permissions(channel, user.id):
            raise errors.missing_permissions()
        if channel.is_direct and not allowed:
            raise errors.missing_permissions()
        self._playground.messages.delete(message)

    def edit(self, member: str, message_id: str, content: str) -> Message:
        """Edit the member's own message."""
        user = self._world.user_named(member)
        message = self.visible_message(user, message_id)
        if message.author.id != user.id:
            raise errors.foreign_author()
        self._playground.messages.edit(message, {"content": self._with_mentions(content)}, {})
        return message

    def offered(self, member: str, channel: str) -> list[Command]:
        """Return the commands that the member's client would offer in the channel."""
        user, place = self.place(member, channel, Permission.VIEW_CHANNEL)
        if Permission.USE_APPLICATION_COMMANDS not in self._world.permissions(place, user.id):
            return []
        found: list[Command] = []
        for command in self._world.commands.values():
            with suppress(errors.DiscordError):
                self._may_use(command, user, place)
                found.append(command)
        return found

    def _may_use(self, command: Command, user: User, channel: Channel) -> None:
        """Reject a command that the member's client would not offer here."""
        definition = command.definition
        contexts = definition.get("contexts")
        if contexts is None:
            contexts = [Context.SERVER] if definition.get("dm_permission") is False else list(Context)
        if channel.context not in contexts or (command.guild_id is not None and command.guild_id != channel.guild_id):
            raise errors.unknown_command()
        if not authorizing_owners(self._world, channel, user.id, command):
            raise errors.unknown_command()
        if channel.is_direct or channel.is_foreign:
            return
        if definition.get("nsfw") and not self._world.parent(channel).age_restricted:
            raise errors.unknown_command()
        if command.name in self._world.commands_for_everybody:
            return
        needed = definition.get("default_member_permissions")
        owned = guild_permissions(self._world.guild, user.id)
        if needed is not None and Permission.ADMINISTRATOR not in owned:
            bits = Permission(int(needed))
            if not bits or bits not in owned:
                raise errors.missing_permissions()

    def command(
        self, member: str, channel: str, name: str, values: dict[str, Any], uploads: dict[str, Upload]
    ) -> Interaction:
        """Run a slash command; ``name`` may include subcommands ("defaults set")."""
        user, place = self.place(member, channel, Permission.USE_APPLICATION_COMMANDS)
        root, *words = name.removeprefix("/").split()
        command = self._world.command_named(root, CommandType.CHAT_INPUT)
        self._may_use(command, user, place)
        builder = OptionBuilder(self._playground, user, place, uploads)
        definitions, way = descend(command.definition, words)
        data = self._command_data(command, wrap(builder.build(definitions, values), way), builder.resolved)
        return self._start(InteractionType.COMMAND, user, place, data, " ".join([root, *words]))

    def autocomplete(
        self, member: str, channel: str, name: str, option: str, value: str, values: dict[str, Any]
    ) -> Interaction:
        """Type ``value`` into an autocompleted option of a command."""
        user, place = self.place(member, channel, Permission.USE_APPLICATION_COMMANDS)
        root, *words = name.removeprefix("/").split()
        command = self._world.command_named(root, CommandType.CHAT_INPUT)
        self._may_use(command, user, place)
        definitions, way = descend(command.definition, words)
        if not any(d["name"] == option and d.get("autocomplete") for d in definitions):
            raise errors.invalid_field(
                f"options.{option}", "OPTION_UNKNOWN", "This option is not completed by the bot."
            )
        builder = OptionBuilder(self._playground, user, place, {})
        options = builder.build(definitions, values | {option: value}, focused=option)
        data = self._command_data(command, wrap(options, way), builder.resolved)
        return self._start(InteractionType.AUTOCOMPLETE, user, place, data, name)

    def message_command(self, member: str, name: str, message_id: str) -> Interaction:
        """Choose a command from a message's context menu (Apps)."""
        user = self._world.user_named(member)
        message = self.visible_message(user, message_id)
        channel = self._world.channel(message.channel_id)
        self.place(member, str(channel.id), Permission.USE_APPLICATION_COMMANDS)
        command = self._world.command_named(name, CommandType.MESSAGE)
        self._may_use(command, user, channel)
        shown = self._playground.writer.message(message, intents=0, readable=True)
        resolved: Json = {"messages": {str(message.id): shown}}
        data = self._command_data(command, [], resolved) | {"target_id": str(message.id)}
        return self._start(InteractionType.COMMAND, user, channel, data, name, message_id=message.id)

    def user_command(self, member: str, channel: str, name: str, target: str) -> Interaction:
        """Choose a command from a member's context menu."""
        user, place = self.place(member, channel, Permission.USE_APPLICATION_COMMANDS)
        command = self._world.command_named(name, CommandType.USER)
        self._may_use(command, user, place)
        aimed = self._world.user_named(target)
        resolved: Json = {"users": {str(aimed.id): user_json(aimed)}}
        data = self._command_data(command, [], resolved) | {"target_id": str(aimed.id)}
        return self._start(InteractionType.COMMAND, user, place, data, name)

    def _command_data(self, command: Command, options: list[Json], resolved: Json) -> Json:
        data: Json = {"id": str(command.id), "name": command.name, "type": int(command.type)}
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        if options:
            data["options"] = options
        return data | ({"resolved": resolved} if resolved else {})

    def press(self, member: str, message_id: str, wanted: str, values: list[str]) -> Interaction:
        """Press the button with this custom id or label, or choose in that select menu."""
        user = self._world.user_named(member)
        message = self.visible_message(user, message_id)
        channel = self._world.channel(message.channel_id)
        component = find_component(message, wanted)
        if component.get("disabled") or component.get("url"):
            raise errors.invalid_field("component", "COMPONENT_VALIDATION_FAILED", "This component cannot be used.")
        data: Json = {
            "component_type": component["type"],
            "custom_id": component["custom_id"],
            "id": component["id"],
        }
        if component["type"] in SELECTS:
            data["values"] = values
        return self._start(InteractionType.COMPONENT, user, channel, data, "", message_id=message.id)

    def submit_modal(self, member: str, interaction_id: str, values: dict[str, str]) -> Interaction:
        """Submit the modal that an interaction opened, with these values by custom id or label."""
        user = self._world.user_named(member)
        parent = self._world.interactions.get(int(interaction_id)) if interaction_id.isdigit() else None
        if parent is None or parent.callback_type is not CallbackType.MODAL or parent.user_id != user.id:
            raise errors.unknown_interaction()
        modal = parent.modal or {}
        names = dict(values)
        components = [filled_component(component, names) for component in modal["components"]]
        if names:
            unknown = next(iter(names))
            raise errors.invalid_field(f"values.{unknown}", "OPTION_UNKNOWN", "The modal has no such field.")
        data: Json = {"custom_id": modal["custom_id"], "components": components}
        message_id = parent.message_id if parent.type is InteractionType.COMPONENT else None
        channel = self._world.channel(parent.channel_id)
        return self._start(InteractionType.MODAL_SUBMIT, user, channel, data, "", message_id=message_id, parent=parent)

    def _start(
        self,
        kind: InteractionType,
        user: User,
        channel: Channel,
        data: Json,
        name: str,
        *,
        message_id: int | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        if channel.archived:
            raise errors.thread_is_archived()
        is_own = not (channel.is_direct or channel.is_foreign)
        if is_own and self._world.guild.members[user.id].timed_out_until > self._world.clock.now():
            raise errors.missing_permissions()
        return self._playground.interactions.start(
            kind,
            user_id=user.id,
            channel_id=channel.id,
            data=data,
            command_name=name,
            message_id=message_id,
            parent=parent,
        )
