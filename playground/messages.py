"""Creation, editing and deletion of messages, with the events for the gateway and the feed."""

from __future__ import annotations

from typing import Any

from playground import content, errors, limits
from playground.feed import Feed
from playground.files import FileStore, Upload
from playground.gateway.protocol import Intent
from playground.gateway.sessions import Gateway
from playground.mentions import resolve_mentions
from playground.models import (
    NO_FLAGS,
    Attachment,
    Channel,
    Interaction,
    Json,
    Message,
    MessageFlags,
    MessageType,
    Reference,
    User,
)
from playground.permissions import Permission
from playground.uploads import kept_attachments, match_uploads
from playground.views import Views
from playground.wire import channel_json
from playground.wire_messages import MessageWriter
from playground.world import World

_SETTABLE = MessageFlags.SUPPRESS_EMBEDS | MessageFlags.SUPPRESS_NOTIFICATIONS | MessageFlags.COMPONENTS_V2
MESSAGE_PARSES = ("users", "roles", "everyone")
INTERACTION_PARSES = ("users",)


class MessageBoard:
    """Applies every change to a message: checks it, stores it, announces it."""

    def __init__(
        self, world: World, files: FileStore, gateway: Gateway, writer: MessageWriter, views: Views, feed: Feed
    ) -> None:
        self._world = world
        self._files = files
        self._gateway = gateway
        self._writer = writer
        self._views = views
        self._feed = feed
        self._nonces: dict[tuple[int, int, str], tuple[int, float]] = {}

    def create(
        self,
        channel: Channel,
        author: User,
        payload: Json,
        files: dict[int, Upload],
        *,
        flags: MessageFlags = NO_FLAGS,
        kind: MessageType = MessageType.DEFAULT,
        reference: Reference | None = None,
        interaction: Interaction | None = None,
        visible_to: int | None = None,
    ) -> Message:
        """Add a message from a validated REST body and its files. Raises DiscordError for what Discord rejects."""
        flags |= MessageFlags(payload.get("flags") or 0) & _SETTABLE
        content.check_message(payload, flags)
        uploads = match_uploads(payload, files, kept=())
        self._check_sizes(channel, uploads)
        self._check_words(channel, author, payload, flags)
        self._wake(channel, author)
        loading = MessageFlags.LOADING in flags
        if not (loading or uploads or _has_something(payload)):
            raise errors.empty_message()
        now = self._world.clock.now()
        message = Message(
            id=self._world.ids.next(),
            channel_id=channel.id,
            author=author,
            type=MessageType.REPLY if reference is not None else kind,
            flags=flags,
            tts=bool(payload.get("tts")),
            nonce=payload.get("nonce"),
            reference=reference,
            interaction_id=interaction.id if interaction else None,
            visible_to=visible_to,
            created_at=now,
        )
        message.attachments = [self._store(channel, upload) for upload in uploads]
        replied_to = self._world.messages.get(reference.message_id) if reference is not None else None
        self._fill(message, channel, payload, replied_to)
        if replied_to is not None and replied_to.author.id in message.mentioned_user_ids:
            message.pinged_by_reply = replied_to.author.id
        self._world.messages[message.id] = message
        channel.message_ids.append(message.id)
        self._announce("MESSAGE_CREATE", message)
        return message

    def find_by_nonce(self, channel: Channel, author: User, nonce: Any) -> Message | None:
        """Return the message that this author sent here with this nonce in the past few minutes."""
        message_id, sent_at = self._nonces.get((channel.id, author.id, str(nonce)), (0, 0.0))
        if self._world.clock.now() - sent_at > limits.NONCE_WINDOW_SECONDS:
            return None
        return self._world.messages.get(message_id)

    def remember_nonce(self, message: Message) -> None:
        """Remember a new message's nonce, so that duplicates are recognised."""
        key = (message.channel_id, message.author.id, str(message.nonce))
        self._nonces[key] = (message.id, message.created_at)

    def edit(self, message: Message, payload: Json, files: dict[int, Upload]) -> None:
        """Edit a message with a validated REST body: omitted fields stay unchanged."""
        channel = self._world.channel(message.channel_id)
        flags = message.flags | MessageFlags(payload.get("flags") or 0) & _SETTABLE
        content.check_message(payload, flags)
        uploads = match_uploads(payload, files, kept=message.attachments)
        self._check_sizes(channel, uploads)
        self._check_words(channel, message.author, payload, flags)
        if channel.archived:
            raise errors.thread_is_archived()
        kept = kept_attachments(payload, message.attachments)
        current: Json = {"content": message.content, "embeds": message.embeds, "components": message.components}
        after = {key: payload.get(key, value) for key, value in current.items()}
        if not (kept or uploads or _has_something(after)):
            raise errors.empty_message()
        for attachment in message.attachments:
            if attachment not in kept:
                self._files.remove(attachment)
        message.attachments = kept + [self._store(channel, upload) for upload in uploads]
        message.flags = flags & ~MessageFlags.LOADING
        self._fill(message, channel, payload, replied_to=None)
        pinged = message.pinged_by_reply
        if pinged is not None and pinged not in message.mentioned_user_ids:
            # Whoever the reply pinged stays mentioned, whatever the edit says.
            message.mentioned_user_ids.append(pinged)
        message.edited_at = self._world.clock.now()
        message.edited_count += 1
        self._announce("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        """Delete a message and its files."""
        message.deleted = True
        for attachment in message.attachments:
            self._files.remove(attachment)
        channel = self._world.channel(message.channel_id)
        channel.message_ids.remove(message.id)
        event: Json = {"id": str(message.id), "channel_id": str(channel.id)}
        if channel.guild_id is not None:
            event["guild_id"] = str(channel.guild_id)
        if not (message.ephemeral or channel.is_foreign):
            self._gateway.dispatch("MESSAGE_DELETE", lambda _intents: event, needs=message_intent(channel))
        self._feed.publish("message_delete", self._views.message(message))

    def _fill(self, message: Message, channel: Channel, payload: Json, replied_to: Message | None) -> None:
        if "content" in payload:
            message.content = (payload["content"] or "").strip()
        if "embeds" in payload:
            message.embeds = payload["embeds"] or []
        if "components" in payload:
            message.components = content.numbered_components(payload["components"] or [])
        world = self._world
        everyone = Permission.MENTION_EVERYONE in world.permissions(channel, message.author.id)
        mentions = resolve_mentions(
            message.content,
            payload.get("allowed_mentions"),
            default_parse=INTERACTION_PARSES if message.interaction_id else MESSAGE_PARSES,
            replied_to=replied_to,
            may_mention_everyone=everyone,
            known_user_ids=set(world.users),
            known_role_ids=set(world.guild.roles),
        )
        message.mentioned_user_ids = mentions.user_ids
        message.mentioned_role_ids = mentions.role_ids
        message.mentions_everyone = mentions.everyone

    def _check_sizes(self, channel: Channel, uploads: list[Upload]) -> None:
        limit = self._world.max_file_bytes(channel)
        if any(len(upload.data) > limit for upload in uploads):
            raise errors.entity_too_large()

    def _wake(self, channel: Channel, author: User) -> None:
        """Unarchive a thread for a new message; only moderators can write in a locked one.

        https://discord.com/developers/docs/topics/threads
        """
        if channel.locked and Permission.MANAGE_THREADS not in self._world.permissions(channel, author.id):
            raise errors.thread_is_archived() if channel.archived else errors.thread_is_locked()
        if channel.archived:
            channel.archived = False
            body = channel_json(self._world, channel)
            self._gateway.dispatch("THREAD_UPDATE", lambda _intents: body)

    def _check_words(self, channel: Channel, author: User, payload: Json, flags: MessageFlags) -> None:
        """Reject words on the server's AutoMod list, in edits too; managers of the server are exempt, bots are not.

        https://discord.com/developers/docs/resources/auto-moderation
        """
        if channel.is_direct or channel.is_foreign or MessageFlags.EPHEMERAL in flags:
            return
        text = (payload.get("content") or "").lower()
        if not any(word in text for word in self._world.automod_words):
            return
        if Permission.MANAGE_GUILD not in self._world.permissions(channel, author.id):
            raise errors.stopped_by_automod()

    def _store(self, channel: Channel, upload: Upload) -> Attachment:
        return self._files.add(f"attachments/{channel.id}", upload)

    def _announce(self, event: str, message: Message) -> None:
        channel = self._world.channel(message.channel_id)
        bot_sees = Permission.VIEW_CHANNEL in self._world.permissions(channel, self._world.bot.id)
        if bot_sees and not message.ephemeral:
            self._gateway.dispatch(
                event,
                lambda intents: self._writer.gateway_message(message, intents=intents),
                needs=message_intent(channel),
            )
        self._feed.publish(event.lower(), self._views.message(message))


def message_intent(channel: Channel) -> Intent:
    """Return the intent that a channel's messages require."""
    return Intent.DIRECT_MESSAGES if channel.is_direct else Intent.GUILD_MESSAGES


def _has_something(payload: Json) -> bool:
    if (payload.get("content") or "").strip():
        return True
    return bool(payload.get("embeds") or payload.get("components") or payload.get("sticker_ids") or payload.get("poll"))
