"""The stand-in's state: members, channels, messages, interactions. Plain data, without Discord's behaviour."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any

Json = dict[str, Any]


class ChannelType(IntEnum):
    """The channel types that exist here (Discord, "Channel Types")."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    GROUP = 3
    THREAD = 11


class MessageType(IntEnum):
    """The message types that exist here (Discord, "Message Types")."""

    DEFAULT = 0
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    CONTEXT_MENU_COMMAND = 23


class MessageFlags(IntFlag):
    """The message flags that the stand-in honours (Discord, "Message Flags")."""

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


NO_FLAGS = MessageFlags(0)


class InteractionType(IntEnum):
    """The interaction types (Discord, "Interaction Type")."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class CallbackType(IntEnum):
    """The ways to answer an interaction (Discord, "Interaction Callback Type")."""

    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    AUTOCOMPLETE = 8
    MODAL = 9


class CommandType(IntEnum):
    """The command types (Discord, "Application Command Types")."""

    CHAT_INPUT = 1
    USER = 2
    MESSAGE = 3


class Context(IntEnum):
    """Where an interaction comes from (Discord, "Interaction Context Types")."""

    SERVER = 0
    BOT_DIRECT = 1
    PRIVATE = 2


class Install(IntEnum):
    """What an application is installed to (Discord, "Application Integration Types")."""

    SERVER = 0
    USER = 1


@dataclass(slots=True, kw_only=True)
class User:
    id: int
    name: str
    bot: bool = False
    accepts_direct_messages: bool = True
    has_installed: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    id: int
    name: str
    permissions: int
    position: int
    color: int = 0
    bot_id: int | None = None


@dataclass(slots=True, kw_only=True)
class Overwrite:
    """A permission overwrite for a role or a member in one channel."""

    id: int
    is_member: bool
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel; ``is_foreign`` is one where the bot is not: in another server, or a group chat."""

    id: int
    type: ChannelType
    name: str
    guild_id: int | None = None
    topic: str | None = None
    age_restricted: bool = False
    position: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipient_id: int | None = None
    parent_id: int | None = None
    archived: bool = False
    locked: bool = False
    is_foreign: bool = False
    message_ids: list[int] = field(default_factory=list)

    @property
    def is_direct(self) -> bool:
        return self.type is ChannelType.DIRECT

    @property
    def context(self) -> Context:
        if self.is_direct:
            return Context.BOT_DIRECT
        return Context.PRIVATE if self.type is ChannelType.GROUP else Context.SERVER

    @property
    def is_voice(self) -> bool:
        return self.type is ChannelType.VOICE

    @property
    def is_thread(self) -> bool:
        return self.type is ChannelType.THREAD


@dataclass(slots=True, kw_only=True)
class Member:
    user: User
    role_ids: list[int]
    joined_at: float
    timed_out_until: float = 0.0


@dataclass(slots=True, kw_only=True)
class Guild:
    id: int
    name: str
    owner_id: int
    roles: dict[int, Role]
    members: dict[int, Member]
    max_file_bytes: int
    created_at: float


@dataclass(slots=True, kw_only=True)
class Attachment:
    """The description of a stored file; its bytes are in the file store under the same id."""

    id: int
    folder: str
    filename: str
    size: int
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    description: str | None = None
    ephemeral: bool = False


@dataclass(slots=True, kw_only=True)
class Reference:
    """A reply's reference to a message; ``shown`` is how much of that message the bot gets to see."""

    channel_id: int
    message_id: int
    shown: str = "filled"


@dataclass(slots=True, kw_only=True)
class Message:
    id: int
    channel_id: int
    author: User
    type: MessageType = MessageType.DEFAULT
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: MessageFlags = NO_FLAGS
    tts: bool = False
    mentioned_user_ids: list[int] = field(default_factory=list)
    mentioned_role_ids: list[int] = field(default_factory=list)
    mentions_everyone: bool = False
    pinged_by_reply: int | None = None
    nonce: str | int | None = None
    reference: Reference | None = None
    interaction_id: int | None = None
    visible_to: int | None = None
    edited_at: float | None = None
    edited_count: int = 0
    created_at: float = 0.0
    deleted: bool = False

    @property
    def ephemeral(self) -> bool:
        return MessageFlags.EPHEMERAL in self.flags


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One interaction, from the member's action to all of the bot's responses."""

    id: int
    token: str
    type: InteractionType
    user_id: int
    channel_id: int
    data: Json
    created_at: float
    authorizing_owners: Json
    command_name: str = ""
    message_id: int | None = None
    parent_id: int | None = None
    acknowledged_after_seconds: float | None = None
    callback_type: CallbackType | None = None
    ephemeral: bool = False
    response_message_id: int | None = None
    followup_ids: list[int] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] | None = None
    failed: bool = False
    # Set when the bot has acknowledged it, or its time to do so is over.
    settled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class Command:
    id: int
    name: str
    type: CommandType
    guild_id: int | None
    version: int
    definition: Json
