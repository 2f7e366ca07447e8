"""Permissions of members, computed as https://discord.com/developers/docs/topics/permissions describes."""

from __future__ import annotations

from enum import IntFlag

from playground.models import Channel, Guild


class Permission(IntFlag):
    """Discord's permission bits, by Discord's names."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    CHANGE_NICKNAME = 1 << 26
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40
    USE_EXTERNAL_APPS = 1 << 50

    @classmethod
    def parse(cls, names: list[str]) -> Permission:
        """Return the permissions with these names, in any case. Raises ValueError for an unknown name."""
        value = cls(0)
        for name in names:
            try:
                value |= cls[name.upper()]
            except KeyError:
                raise ValueError(f"no permission is called {name!r}") from None
        return value


ALL = Permission(sum(Permission))
EVERYONE = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.ADD_REACTIONS
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.USE_EXTERNAL_APPS
    | Permission.CREATE_INSTANT_INVITE
    | Permission.CONNECT
    | Permission.CHANGE_NICKNAME
)
DIRECT_MESSAGE = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.MENTION_EVERYONE
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.ADD_REACTIONS
    | Permission.USE_APPLICATION_COMMANDS
)
# What an application may add to its answers in a chat of others; for servers without it nothing is documented.
# https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-interaction-structure
ANSWERING = Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
TIMED_OUT = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
WRITING = Permission.MENTION_EVERYONE | Permission.SEND_TTS_MESSAGES | Permission.ATTACH_FILES | Permission.EMBED_LINKS


def guild_permissions(guild: Guild, user_id: int) -> Permission:
    """Return what a member's roles allow in the whole guild; nothing for someone who is not in it."""
    member = guild.members.get(user_id)
    if member is None:
        return Permission(0)
    if guild.owner_id == user_id:
        return ALL
    value = Permission(guild.roles[guild.id].permissions)
    for role_id in member.role_ids:
        if (role := guild.roles.get(role_id)) is not None:
            value |= Permission(role.permissions)
    return ALL if Permission.ADMINISTRATOR in value else value


def foreign_permissions(channel: Channel, *, is_bot: bool) -> Permission:
    """Return what somebody may do in a foreign channel: nothing for the bot, the usual for everybody else."""
    if is_bot:
        return Permission(0)
    return EVERYONE if channel.guild_id is not None else DIRECT_MESSAGE


def sending(channel: Channel) -> Permission:
    """Return the permission to write in a channel: threads have one of their own."""
    return Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES


def seeing(channel: Channel) -> Permission:
    """Return the permissions to read a channel: a voice channel's text chat also requires the permission to join.

    https://discord.com/developers/docs/resources/message#get-channel-messages
    """
    return Permission.VIEW_CHANNEL | (Permission.CONNECT if channel.is_voice else Permission(0))


def channel_permissions(guild: Guild, channel: Channel, parent: Channel, user_id: int, *, now: float) -> Permission:
    """Return what a member may do in one channel, with overwrites, implicit denials and timeouts applied.

    The overwrites are those of ``parent``: the parent channel of a thread, or any other channel itself.
    """
    if channel.is_direct:
        return DIRECT_MESSAGE
    value = guild_permissions(guild, user_id)
    member = guild.members.get(user_id)
    if member is None or value == ALL:
        return value
    if (everyone := parent.overwrites.get(guild.id)) is not None:
        value = value & ~Permission(everyone.deny) | Permission(everyone.allow)
    allow = deny = Permission(0)
    for role_id in member.role_ids:
        if (overwrite := parent.overwrites.get(role_id)) is not None:
            allow |= Permission(overwrite.allow)
            deny |= Permission(overwrite.deny)
    value = value & ~deny | allow
    if (own := parent.overwrites.get(user_id)) is not None:
        value = value & ~Permission(own.deny) | Permission(own.allow)
    if Permission.VIEW_CHANNEL not in value:
        return Permission(0)
    if sending(channel) not in value:
        value &= ~WRITING
    return value & TIMED_OUT if member.timed_out_until > now else value
