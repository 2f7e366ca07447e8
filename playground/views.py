"""Descriptions of messages, interactions and channels for the page and the tests: everything, hidden or not."""

from __future__ import annotations

from playground.models import CallbackType, Channel, ChannelType, Interaction, Json, Message, MessageFlags
from playground.wire_messages import MessageWriter, embedded_filenames
from playground.world import World

_MARKS = {
    ChannelType.TEXT: "#",
    ChannelType.VOICE: "🔊",
    ChannelType.GROUP: "👥",
    ChannelType.THREAD: "↳",
    ChannelType.DIRECT: "@",
}


class Views:
    """Describes what a member of the server could see, with the names that the control API uses."""

    def __init__(self, world: World, writer: MessageWriter) -> None:
        self._world = world
        self._writer = writer

    def message(self, message: Message) -> Json:
        world = self._world
        wire = self._writer.message(message, intents=0, readable=True)
        embedded = set(embedded_filenames(message))
        return {
            "id": str(message.id),
            "channel": world.channel_even_if_deleted(message.channel_id).name,
            "channel_id": str(message.channel_id),
            "author": {"id": str(message.author.id), "name": message.author.name, "bot": message.author.bot},
            "type": int(message.type),
            "content": message.content,
            "embeds": wire["embeds"],
            "attachments": [
                self._writer.attachment(attachment)
                | {
                    "spoiler": attachment.filename.startswith("SPOILER_"),
                    "embedded": attachment.filename in embedded,
                }
                for attachment in message.attachments
            ],
            "components": wire["components"],
            "reference": self._reference(message),
            "mentions": [world.users[user_id].name for user_id in message.mentioned_user_ids],
            "mention_roles": [world.guild.roles[role_id].name for role_id in message.mentioned_role_ids],
            "mention_everyone": message.mentions_everyone,
            "nonce": message.nonce,
            "flags": int(message.flags),
            "ephemeral": message.ephemeral,
            "loading": MessageFlags.LOADING in message.flags,
            "visible_to": world.users[message.visible_to].name if message.visible_to else None,
            "interaction": self._interaction_of(message),
            "created_at": message.created_at,
            "edited_at": message.edited_at,
            "edited_count": message.edited_count,
            "deleted": message.deleted,
        }

    def _reference(self, message: Message) -> Json | None:
        if (reference := message.reference) is None:
            return None
        target = self._world.messages.get(reference.message_id)
        known = target is not None and not target.deleted
        return {
            "message_id": str(reference.message_id),
            "channel_id": str(reference.channel_id),
            "author": target.author.name if known and target else None,
            "content": target.content if known and target else None,
            "exists": known,
        }

    def _interaction_of(self, message: Message) -> Json | None:
        if message.interaction_id is None:
            return None
        interaction = self._world.interactions[message.interaction_id]
        return {
            "id": str(interaction.id),
            "type": int(interaction.type),
            "name": interaction.command_name,
            "user": self._world.users[interaction.user_id].name,
        }

    def interaction(self, interaction: Interaction) -> Json:
        world = self._world
        response = world.messages.get(interaction.response_message_id or 0)
        callback = interaction.callback_type
        return {
            "id": str(interaction.id),
            "token": interaction.token,
            "type": int(interaction.type),
            "name": interaction.command_name,
            "member": world.users[interaction.user_id].name,
            "channel": world.channel_even_if_deleted(interaction.channel_id).name,
            "acknowledged_after_seconds": interaction.acknowledged_after_seconds,
            "response_type": CallbackType(callback).name.lower() if callback is not None else None,
            "ephemeral": interaction.ephemeral,
            "response": self.message(response) if response is not None else None,
            "followups": [self.message(world.messages[message_id]) for message_id in interaction.followup_ids],
            "modal": interaction.modal,
            "choices": interaction.choices,
            "failed": interaction.failed,
        }

    def channel(self, channel: Channel) -> Json:
        return {
            "id": str(channel.id),
            "name": channel.name,
            "topic": channel.topic,
            "direct": channel.is_direct,
            "type": int(channel.type),
            "mark": _MARKS[channel.type],
            "age_restricted": self._world.parent(channel).age_restricted,
            "viewers": [user.name for user in self._world.viewers(channel)],
        }
