"""Messages and interactions as Discord's JSON, without what the bot's intents do not let it read."""

from __future__ import annotations

from urllib.parse import urlsplit

from playground.clock import iso_time
from playground.files import FileStore
from playground.models import (
    Attachment,
    Channel,
    CommandType,
    Interaction,
    InteractionType,
    Json,
    Message,
    MessageType,
)
from playground.permissions import ANSWERING, Permission
from playground.wire import channel_json, member_json, user_json
from playground.world import World

MESSAGE_CONTENT_INTENT = 1 << 15
_EMBED_PICTURES = ("image", "thumbnail")
_HIDDEN: Json = {"content": "", "embeds": [], "attachments": [], "components": []}


class MessageWriter:
    """Serialises messages for the bot or, in full, for members."""

    def __init__(self, world: World, files: FileStore) -> None:
        self._world = world
        self._files = files

    def attachment(self, attachment: Attachment) -> Json:
        body: Json = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": attachment.size,
            "url": self._files.url(attachment),
            "proxy_url": self._files.proxy_url(attachment),
        }
        for key in ("content_type", "width", "height", "description"):
            if (value := getattr(attachment, key)) is not None:
                body[key] = value
        if attachment.ephemeral:
            body["ephemeral"] = True
        return body

    def readable(self, message: Message, intents: int) -> bool:
        """Return whether the bot may read the content (topics/gateway, "Message Content Intent")."""
        return (
            bool(intents & MESSAGE_CONTENT_INTENT)
            or message.author.id == self._world.bot.id
            or self._world.channel_even_if_deleted(message.channel_id).is_direct
            or self._world.bot.id in message.mentioned_user_ids
        )

    def message(self, message: Message, *, intents: int, readable: bool | None = None) -> Json:
        """Return a message as REST shows it to the bot; ``readable`` overrides the intents."""
        body = self._plain(message)
        if message.reference is not None:
            body |= self._reference(message, intents)
        if not (self.readable(message, intents) if readable is None else readable):
            body |= _HIDDEN
        return body

    def gateway_message(self, message: Message, *, intents: int) -> Json:
        """Return a message as in MESSAGE_CREATE and MESSAGE_UPDATE."""
        body = self.message(message, intents=intents)
        channel = self._world.channel_even_if_deleted(message.channel_id)
        if not channel.is_direct:
            body["guild_id"] = str(channel.guild_id)
            members = self._world.guild.members
            if (member := members.get(message.author.id)) is not None:
                body["member"] = member_json(member, with_user=False)
            for mention in body["mentions"]:
                if (member := members.get(int(mention["id"]))) is not None:
                    mention["member"] = member_json(member, with_user=False)
        return body

    def _plain(self, message: Message) -> Json:
        world = self._world
        embedded = set(embedded_filenames(message))
        body: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "type": int(message.type),
            "content": message.content,
            "author": user_json(message.author),
            "mentions": [user_json(world.users[user_id]) for user_id in message.mentioned_user_ids],
            "mention_roles": [str(role_id) for role_id in message.mentioned_role_ids],
            "mention_everyone": message.mentions_everyone,
            "attachments": [self.attachment(a) for a in message.attachments if a.filename not in embedded],
            "embeds": [self._embed(embed, message) for embed in message.embeds],
            "components": [self._component(component, message) for component in message.components],
            "timestamp": iso_time(message.created_at),
            "edited_timestamp": iso_time(message.edited_at) if message.edited_at is not None else None,
            "flags": int(message.flags),
            "pinned": False,
            "tts": message.tts,
        }
        if message.nonce is not None:
            body["nonce"] = message.nonce
        if message.author.id == world.bot.id:
            body["application_id"] = str(world.application_id)
        if message.interaction_id is not None:
            interaction = world.interactions[message.interaction_id]
            body["webhook_id"] = str(world.application_id)
            body["interaction_metadata"] = self._metadata(interaction)
            if interaction.type is InteractionType.COMMAND:
                user = world.users[interaction.user_id]
                body["interaction"] = {
                    "id": str(interaction.id),
                    "type": int(interaction.type),
                    "name": interaction.command_name,
                    "user": user_json(user),
                }
        return body

    def _reference(self, message: Message, intents: int) -> Json:
        reference = message.reference
        assert reference is not None
        channel = self._world.channels.get(reference.channel_id)
        link: Json = {
            "type": 0,
            "channel_id": str(reference.channel_id),
            "message_id": str(reference.message_id),
        }
        if channel is not None and channel.guild_id is not None:
            link["guild_id"] = str(channel.guild_id)
        body: Json = {"message_reference": link}
        target = self._world.messages.get(reference.message_id)
        if target is None or target.deleted:
            body["referenced_message"] = None
        elif reference.shown == "filled":
            body["referenced_message"] = self._plain(target)
        elif reference.shown == "empty":
            hidden = {} if self.readable(target, intents) else _HIDDEN
            body["referenced_message"] = self._plain(target) | hidden
        return body

    def _metadata(self, interaction: Interaction) -> Json:
        world = self._world
        body: Json = {
            "id": str(interaction.id),
            "type": int(interaction.type),
            "user": user_json(world.users[interaction.user_id]),
            "authorizing_integration_owners": interaction.authorizing_owners,
        }
        if interaction.type is InteractionType.COMPONENT:
            body["interacted_message_id"] = str(interaction.message_id)
        elif interaction.type is InteractionType.MODAL_SUBMIT:
            assert interaction.parent_id is not None
            body["triggering_interaction_metadata"] = self._metadata(world.interactions[interaction.parent_id])
        elif interaction.data.get("type") == CommandType.MESSAGE:
            body["target_message_id"] = interaction.data["target_id"]
        return body

    def _embed(self, embed: Json, message: Message) -> Json:
        body = {"type": "rich"} | {key: value for key, value in embed.items() if value is not None}
        for key in _EMBED_PICTURES:
            if isinstance(picture := body.get(key), dict):
                body[key] = self._media(str(picture.get("url", "")), message)
        return body

    def _component(self, component: Json, message: Message) -> Json:
        body = dict(component)
        for key, value in component.items():
            if key in ("media", "file") and isinstance(value, dict):
                body[key] = {"id": "0", **self._media(str(value.get("url", "")), message)}
            elif isinstance(value, dict):
                body[key] = self._component(value, message)
            elif isinstance(value, list):
                body[key] = [self._component(v, message) if isinstance(v, dict) else v for v in value]
        return body

    def _media(self, url: str, message: Message) -> Json:
        for attachment in message.attachments:
            if url == f"attachment://{attachment.filename}":
                body: Json = {"url": self._files.url(attachment), "proxy_url": self._files.proxy_url(attachment)}
                if attachment.width and attachment.height:
                    body |= {"width": attachment.width, "height": attachment.height}
                if attachment.content_type:
                    body["content_type"] = attachment.content_type
                return body
        if url.startswith(f"{self._files.origin}/"):  # a CDN URL is signed again wherever it is shown
            path = urlsplit(url).path.removeprefix("/proxy")
            return {"url": self._files.sign(path), "proxy_url": self._files.sign(path, prefix="/proxy")}
        return {"url": url, "proxy_url": url}

    def interaction(self, interaction: Interaction) -> Json:
        """Return an interaction as in INTERACTION_CREATE."""
        world = self._world
        channel = world.channels[interaction.channel_id]
        app_permissions = ANSWERING if channel.is_foreign else world.permissions(channel, world.bot.id)
        body: Json = {
            "id": str(interaction.id),
            "application_id": str(world.application_id),
            "type": int(interaction.type),
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": self._interaction_channel(channel, interaction.user_id),
            "app_permissions": str(int(app_permissions)),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": interaction.authorizing_owners,
            "context": int(channel.context),
            "attachment_size_limit": world.max_file_bytes(channel),
        }
        user = user_json(world.users[interaction.user_id])
        if channel.guild_id is None:
            body["user"] = user
        else:
            permissions = world.permissions(channel, interaction.user_id)
            member = member_json(world.guild.members[interaction.user_id])
            if channel.is_foreign:
                member["roles"] = []
            body["guild_id"] = str(channel.guild_id)
            body["guild"] = {"id": str(channel.guild_id), "locale": "en-US", "features": []}
            body["guild_locale"] = "en-US"
            body["member"] = member | {"permissions": str(int(permissions))}
        if interaction.message_id is not None and interaction.type is not InteractionType.COMMAND:
            message = world.messages[interaction.message_id]
            body["message"] = self.message(message, intents=0, readable=True)
        return body

    def _interaction_channel(self, channel: Channel, user_id: int) -> Json:
        permissions: Permission = self._world.permissions(channel, user_id)
        return channel_json(self._world, channel) | {"permissions": str(int(permissions))}


def embedded_filenames(message: Message) -> list[str]:
    """Return the names of attachments that the message's embeds show; they are missing from its attachment list."""
    names: list[str] = []
    for embed in message.embeds:
        for key in _EMBED_PICTURES:
            url = str((embed.get(key) or {}).get("url", ""))
            if url.startswith("attachment://"):
                names.append(url.removeprefix("attachment://"))
    return names


def is_interaction_response(message: Message) -> bool:
    """Return whether a message was created through an interaction: replies to it do not ping the bot."""
    return message.type in (MessageType.CHAT_INPUT_COMMAND, MessageType.CONTEXT_MENU_COMMAND) or (
        message.interaction_id is not None
    )
