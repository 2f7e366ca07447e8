"""Channels' messages: create, read, history, edit, delete."""

from __future__ import annotations

from playground import errors, limits
from playground.models import Channel, Json, Message, Reference
from playground.permissions import Permission, sending
from playground.rest.access import require, visible_channel
from playground.rest.endpoint import Answer, Endpoint, RestRequest


async def create_message(request: RestRequest) -> Answer:
    channel = visible_channel(request)
    world, payload, board = request.world, request.payload, request.playground.messages
    needed = sending(channel)
    if request.body.files:
        needed |= Permission.ATTACH_FILES
    if payload.get("embeds"):
        needed |= Permission.EMBED_LINKS
    if payload.get("tts"):
        needed |= Permission.SEND_TTS_MESSAGES
    require(request, channel, needed)
    if channel.is_direct and not world.user(channel.recipient_id or 0).accepts_direct_messages:
        raise errors.cannot_message_user()
    reference = _reference(request, channel)
    nonce = payload.get("nonce")
    if nonce is not None and payload.get("enforce_nonce"):
        known = board.find_by_nonce(channel, world.bot, nonce)
        if known is not None:
            return Answer(body=_written(request, known))
    message = board.create(channel, world.bot, payload, request.body.files, reference=reference)
    if nonce is not None:
        board.remember_nonce(message)
    return Answer(body=_written(request, message))


def _reference(request: RestRequest, channel: Channel) -> Reference | None:
    """Return the message to reply to; a reference to a missing one is dropped or rejected, as the body says."""
    wanted = request.payload.get("message_reference")
    if not wanted:
        return None
    message_id, channel_id = int(wanted["message_id"]), int(wanted.get("channel_id") or channel.id)
    if Permission.READ_MESSAGE_HISTORY not in request.world.permissions(channel, request.world.bot.id):
        raise errors.cannot_reply_without_history()
    target = request.world.messages.get(message_id)
    exists = target is not None and not target.deleted and not target.ephemeral and target.channel_id == channel.id
    if not exists or channel_id != channel.id:
        if wanted.get("fail_if_not_exists", True) is not False:
            raise errors.invalid_field("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None
    return Reference(channel_id=channel_id, message_id=message_id)


def _found(request: RestRequest) -> tuple[Channel, Message]:
    """Return the path's message; ephemeral ones cannot be found with the bot's token."""
    channel = visible_channel(request)
    message = request.world.message(channel.id, request.id("message_id"))
    if message.ephemeral:
        raise errors.unknown_message()
    return channel, message


def _written(request: RestRequest, message: Message) -> Json:
    return request.playground.writer.message(message, intents=request.world.bot_intents)


async def get_message(request: RestRequest) -> Answer:
    channel, message = _found(request)
    require(request, channel, Permission.READ_MESSAGE_HISTORY)
    return Answer(body=_written(request, message))


async def history(request: RestRequest) -> Answer:
    channel = visible_channel(request)
    asked = request.query_id("limit")
    limit = 50 if asked is None else asked
    if not 1 <= limit <= limits.HISTORY_MESSAGES:
        raise errors.invalid_field("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    if Permission.READ_MESSAGE_HISTORY not in request.world.permissions(channel, request.world.bot.id):
        return Answer(body=[])
    every = [request.world.messages[message_id] for message_id in channel.message_ids]
    shown = [message for message in every if not message.ephemeral]
    before, after, middle = (request.query_id(name) for name in ("before", "after", "around"))
    if before is not None:
        shown = [message for message in shown if message.id < before][-limit:]
    elif after is not None:
        shown = [message for message in shown if message.id > after][:limit]
    elif middle is not None:
        older = [message for message in shown if message.id < middle][-(limit // 2) :]
        newer = [message for message in shown if message.id >= middle][: limit - len(older)]
        shown = older + newer
    else:
        shown = shown[-limit:]
    return Answer(body=[_written(request, message) for message in reversed(shown)])


async def edit_message(request: RestRequest) -> Answer:
    _, message = _found(request)
    if message.author.id != request.world.bot.id:
        raise errors.foreign_author()
    request.playground.messages.edit(message, request.payload, request.body.files)
    return Answer(body=_written(request, message))


async def delete_message(request: RestRequest) -> Answer:
    channel, message = _found(request)
    if message.author.id != request.world.bot.id:
        if channel.is_direct:
            raise errors.DiscordError(403, 50003, "Cannot execute action on a DM channel")
        require(request, channel, Permission.MANAGE_MESSAGES)
    request.playground.messages.delete(message)
    return Answer()


MESSAGES = "/channels/{channel_id}/messages"
ENDPOINTS = [
    Endpoint(method="GET", template=MESSAGES, handler=history),
    Endpoint(method="POST", template=MESSAGES, handler=create_message),
    Endpoint(method="GET", template=f"{MESSAGES}/{{message_id}}", handler=get_message),
    Endpoint(method="PATCH", template=f"{MESSAGES}/{{message_id}}", handler=edit_message),
    Endpoint(method="DELETE", template=f"{MESSAGES}/{{message_id}}", handler=delete_message),
]
