"""Typed answers of the control API, as tests and the demonstration read them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from playground.models import Json


def _fields(kind: Any, body: Json) -> dict[str, Any]:
    """Return the values for the fields of a dataclass; further keys of ``body`` are ignored."""
    return {field.name: body.get(field.name) for field in fields(kind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    id: str
    url: str
    proxy_url: str
    filename: str
    size: int
    content_type: str | None
    width: int | None
    height: int | None
    description: str | None
    spoiler: bool
    embedded: bool

    @classmethod
    def read(cls, body: Json) -> Self:
        return cls(**_fields(cls, body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The message that a reply refers to; ``exists`` is False once it has been deleted."""

    message_id: str
    channel_id: str
    author: str | None
    content: str | None
    exists: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as members see it; ``mentions`` are the names of those whom it pings."""

    id: str
    channel: str
    author: str
    author_is_bot: bool
    type: int
    content: str
    embeds: list[Json]
    attachments: list[Attachment]
    components: list[Json]
    reference: Reference | None
    mentions: list[str]
    mention_roles: list[str]
    mention_everyone: bool
    nonce: str | int | None
    flags: int
    ephemeral: bool
    loading: bool
    visible_to: str | None
    interaction: Json | None
    created_at: float
    edited_count: int
    deleted: bool

    @classmethod
    def read(cls, body: Json) -> Self:
        reference = body["reference"]
        return cls(
            **_fields(cls, body)
            | {
                "author": body["author"]["name"],
                "author_is_bot": body["author"]["bot"],
                "attachments": [Attachment.read(entry) for entry in body["attachments"]],
                "reference": Reference(**reference) if reference is not None else None,
            }
        )

    def components_flat(self) -> list[Json]:
        """Return every component with a custom id, rows unpacked."""
        return list(_with_custom_id(self.components))

    def labels(self) -> list[str]:
        """Return the labels of the buttons, in order."""
        return [component["label"] for component in self.components_flat() if component.get("label")]


def _with_custom_id(components: list[Json]) -> list[Json]:
    found: list[Json] = []
    for component in components:
        if "custom_id" in component:
            found.append(component)
        nested = [component[key] for key in ("accessory", "component") if isinstance(component.get(key), dict)]
        found += _with_custom_id([*component.get("components", []), *nested])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """The state of an interaction; ``response_type`` is a name such as ``deferred_message``, None if unacknowledged."""

    id: str
    token: str
    type: int
    name: str
    member: str
    channel: str
    acknowledged_after_seconds: float | None
    response_type: str | None
    ephemeral: bool
    response: Message | None
    followups: list[Message]
    modal: Json | None
    choices: list[Json] | None
    failed: bool

    @classmethod
    def read(cls, body: Json) -> Self:
        response = body["response"]
        return cls(
            **body
            | {
                "response": Message.read(response) if response is not None else None,
                "followups": [Message.read(message) for message in body["followups"]],
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One REST call by the bot; ``status`` 0 means that the connection was cut instead of answered."""

    number: int
    method: str
    path: str
    route: str
    at: float
    body: Any
    files: list[Json]
    status: int
    code: int | None
    seconds_since_interaction: float | None


FaultAction = Literal["status", "page", "reset", "hang", "drop_after"]
GatewayAction = Literal["drop", "reconnect", "invalid_session", "invalid_session_resumable"]
Shown = Literal["filled", "empty", "absent"]
