"""Responses to interactions: the callback within 3 seconds, then edits and followups with the interaction's token."""

from __future__ import annotations

from playground import content, errors, limits
from playground.models import (
    CallbackType,
    Interaction,
    InteractionType,
    Json,
    Message,
    MessageFlags,
    MessageType,
    Reference,
)
from playground.rest.endpoint import Answer, Endpoint, RestRequest

_ALLOWED = {
    InteractionType.COMMAND: {CallbackType.MESSAGE, CallbackType.DEFERRED_MESSAGE, CallbackType.MODAL},
    InteractionType.COMPONENT: {
        CallbackType.MESSAGE,
        CallbackType.DEFERRED_MESSAGE,
        CallbackType.DEFERRED_UPDATE,
        CallbackType.UPDATE_MESSAGE,
        CallbackType.MODAL,
    },
    InteractionType.AUTOCOMPLETE: {CallbackType.AUTOCOMPLETE},
    InteractionType.MODAL_SUBMIT: {
        CallbackType.MESSAGE,
        CallbackType.DEFERRED_MESSAGE,
        CallbackType.DEFERRED_UPDATE,
        CallbackType.UPDATE_MESSAGE,
    },
}


async def callback(request: RestRequest) -> Answer:
    interaction_id, token = request.id("interaction_id"), request.params["interaction_token"]
    known = request.world.interactions.get(interaction_id)
    if known is not None:
        request.call.seconds_since_interaction = request.world.clock.now() - known.created_at
    kind = _callback_type(request, known)
    data: Json = request.payload.get("data") or {}
    _check_data(kind, data)
    interaction = request.playground.interactions.acknowledge(interaction_id, token, kind)
    try:
        _apply(request, interaction, kind, data)
    except errors.DiscordError:  # a rejected response does not count: the bot may try again within its 3 seconds
        interaction.callback_type = interaction.acknowledged_after_seconds = None
        raise
    request.playground.interactions.settle(interaction)
    if request.query.get("with_response") not in ("1", "true", "True"):
        return Answer()
    return Answer(body=_with_response(request, interaction, kind))


def _callback_type(request: RestRequest, interaction: Interaction | None) -> CallbackType:
    try:
        kind = CallbackType(request.payload["type"])
    except (KeyError, ValueError):
        raise errors.invalid_field("type", "BASE_TYPE_CHOICES", "This interaction callback type is unknown.") from None
    if interaction is not None:
        allowed = _ALLOWED[interaction.type]
        needs_message = kind in (CallbackType.DEFERRED_UPDATE, CallbackType.UPDATE_MESSAGE)
        if kind not in allowed or (needs_message and interaction.message_id is None):
            words = "This interaction callback type is not possible for this interaction."
            raise errors.invalid_field("type", "INTERACTION_CALLBACK_TYPE_INVALID", words)
    return kind


def _check_data(kind: CallbackType, data: Json) -> None:
    if kind is CallbackType.MODAL:
        content.check_modal(data)
    elif kind in (CallbackType.MESSAGE, CallbackType.UPDATE_MESSAGE):
        content.check_message(data, MessageFlags(data.get("flags") or 0))


def _apply(request: RestRequest, interaction: Interaction, kind: CallbackType, data: Json) -> None:
    flags = MessageFlags(data.get("flags") or 0) & MessageFlags.EPHEMERAL
    match kind:
        case CallbackType.MESSAGE:
            interaction.ephemeral = bool(flags)
            message = _post(request, interaction, data, flags)
            interaction.response_message_id = message.id
        case CallbackType.DEFERRED_MESSAGE:
            interaction.ephemeral = bool(flags)
            message = _post(request, interaction, {}, flags | MessageFlags.LOADING)
            interaction.response_message_id = message.id
        case CallbackType.UPDATE_MESSAGE:
            message = _component_message(request, interaction)
            request.playground.messages.edit(message, data, request.body.files)
            interaction.response_message_id = message.id
        case CallbackType.DEFERRED_UPDATE:
            interaction.response_message_id = interaction.message_id
        case CallbackType.MODAL:
            interaction.modal = data | {"components": content.numbered_components(data["components"])}
        case CallbackType.AUTOCOMPLETE:
            interaction.choices = data.get("choices") or []
        case _:
            pass


def _post(request: RestRequest, interaction: Interaction, data: Json, flags: MessageFlags) -> Message:
    """Create a response message; an ephemeral one is visible to the interaction's member only."""
    kind = MessageType.DEFAULT
    if interaction.type is InteractionType.COMMAND:
        chat = interaction.data.get("type") == 1
        kind = MessageType.CHAT_INPUT_COMMAND if chat else MessageType.CONTEXT_MENU_COMMAND
    reference = None
    if interaction.response_message_id is not None:
        reference = _reply_to(request, interaction.response_message_id)
    elif interaction.message_id is not None and interaction.type is InteractionType.COMPONENT:
        reference = _reply_to(request, interaction.message_id)
    return request.playground.messages.create(
        request.world.channel(interaction.channel_id),
        request.world.bot,
        _for_interaction(data),
        request.body.files,
        flags=flags,
        kind=kind,
        reference=reference,
        interaction=interaction,
        visible_to=interaction.user_id if MessageFlags.EPHEMERAL in flags else None,
    )


def _reply_to(request: RestRequest, message_id: int) -> Reference | None:
    message = request.world.messages.get(message_id)
    return Reference(channel_id=message.channel_id, message_id=message.id) if message is not None else None


def _for_interaction(data: Json) -> Json:
    """Return the body without the reply's ping: only ``allowed_mentions`` or the text ping here."""
    allowed = data.get("allowed_mentions")
    return data | {"allowed_mentions": allowed if allowed is not None else {"parse": ["users"], "replied_user": False}}


def _component_message(request: RestRequest, interaction: Interaction) -> Message:
    message = request.world.messages.get(interaction.message_id or 0)
    if message is None or message.deleted:
        raise errors.unknown_message()
    return message


def _with_response(request: RestRequest, interaction: Interaction, kind: CallbackType) -> Json:
    resource: Json = {"id": str(interaction.id), "type": int(interaction.type)}
    resource["channel_id"] = str(interaction.channel_id)
    body: Json = {"interaction": resource}
    message = request.world.messages.get(interaction.response_message_id or 0)
    if message is not None:
        resource["response_message_id"] = str(message.id)
        resource["response_message_loading"] = MessageFlags.LOADING in message.flags
        resource["response_message_ephemeral"] = message.ephemeral
        if kind in (CallbackType.MESSAGE, CallbackType.UPDATE_MESSAGE):
            body["resource"] = {"type": int(kind), "message": _written(request, message)}
    return body


def _interaction(request: RestRequest) -> Interaction:
    return request.playground.interactions.by_token(request.id("webhook_id"), request.params["webhook_token"])


def _written(request: RestRequest, message: Message) -> Json:
    return request.playground.writer.message(message, intents=0, readable=True)


async def followup(request: RestRequest) -> Answer:
    interaction = _interaction(request)
    loading = request.world.messages.get(interaction.response_message_id or 0)
    if loading is not None and not loading.deleted and MessageFlags.LOADING in loading.flags:
        # The first followup to a deferred response becomes that response; whether it is ephemeral was decided then.
        payload = {key: value for key, value in request.payload.items() if key != "flags"}
        request.playground.messages.edit(loading, payload, request.body.files)
        request.playground.interactions.announce(interaction)
        return Answer(body=_written(request, loading))
    # Only a user's installation authorises the interaction: the application is not in the server.
    is_limited = list(interaction.authorizing_owners) == ["1"]
    if is_limited and len(interaction.followup_ids) >= limits.USER_INSTALL_FOLLOWUPS:
        raise errors.too_many_followups()
    flags = MessageFlags(request.payload.get("flags") or 0) & MessageFlags.EPHEMERAL
    message = _post(request, interaction, request.payload, flags)
    interaction.followup_ids.append(message.id)
    request.playground.interactions.announce(interaction)
    return Answer(body=_written(request, message))


def _own_message(request: RestRequest, interaction: Interaction) -> Message:
    """Return the path's message if it was created through this interaction and still exists."""
    if "message_id" in request.params:
        message_id = request.id("message_id")
        own = message_id in (interaction.response_message_id, *interaction.followup_ids)
    else:
        message_id, own = interaction.response_message_id, True
    message = request.world.messages.get(message_id or 0)
    if not own or message is None or message.deleted:
        raise errors.unknown_message()
    return message


async def get_response(request: RestRequest) -> Answer:
    return Answer(body=_written(request, _own_message(request, _interaction(request))))


async def edit_response(request: RestRequest) -> Answer:
    interaction = _interaction(request)
    message = _own_message(request, interaction)
    request.playground.messages.edit(message, request.payload, request.body.files)
    request.playground.interactions.announce(interaction)
    return Answer(body=_written(request, message))


async def delete_response(request: RestRequest) -> Answer:
    interaction = _interaction(request)
    request.playground.messages.delete(_own_message(request, interaction))
    request.playground.interactions.announce(interaction)
    return Answer()


CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
ENDPOINTS = [
    Endpoint(method="POST", template=CALLBACK, handler=callback, needs_token=False),
    Endpoint(method="POST", template=WEBHOOK, handler=followup, needs_token=False),
]
for _name in ("@original", "{message_id}"):
    _template = f"{WEBHOOK}/messages/{_name}"
    ENDPOINTS += [
        Endpoint(method="GET", template=_template, handler=get_response, needs_token=False),
        Endpoint(method="PATCH", template=_template, handler=edit_response, needs_token=False),
        Endpoint(method="DELETE", template=_template, handler=delete_response, needs_token=False),
    ]
