"""The stand-in's world: one server with channels, members and roles, a bot, and its direct messages with everyone."""

from __future__ import annotations

import secrets

from playground import errors
from playground.clock import Clock, Snowflakes
from playground.limits import DEFAULT_FILE_BYTES
from playground.models import (
    Channel,
    ChannelType,
    Command,
    CommandType,
    Guild,
    Interaction,
    Json,
    Member,
    Message,
    Role,
    User,
)
from playground.permissions import EVERYONE, Permission, channel_permissions, foreign_permissions

OWNER, MODERATOR, MEMBERS = "Margaret", "Grace", ("Ada", "Linus")
CHANNELS = (
    ("general", "Talk about anything.", False),
    ("gallery", "Pictures, please.", False),
    ("after-dark", "Adults only.", True),
)
BOT_PERMISSIONS = EVERYONE & ~Permission.CREATE_INSTANT_INVITE


class World:
    """Everything that exists, by id, with look-ups by id and by name."""

    def __init__(self, clock: Clock, ids: Snowflakes, *, bot_name: str, guild_name: str = "The Playground") -> None:
        self.clock = clock
        self.ids = ids
        self.users: dict[int, User] = {}
        self.channels: dict[int, Channel] = {}
        self.removed_channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.interactions: dict[int, Interaction] = {}
        self.commands: dict[int, Command] = {}
        self.commands_registered = False
        self.commands_for_everybody: set[str] = set()
        self.privileged_intents = 0
        self.automod_words: tuple[str, ...] = ()
        self.application_settings: Json = {}
        self.bot_intents = 0

        self.application_id = ids.next()
        self.bot = self._add_user(User(id=self.application_id, name=bot_name, bot=True))
        self.token = f"playground.{secrets.token_urlsafe(24)}"
        self.verify_key = secrets.token_hex(32)
        self.owner = self._add_user(User(id=ids.next(), name=OWNER))
        self.guild = self._build_guild(guild_name)
        self.foreign_guild_id = ids.next()
        for name, topic, age_restricted in CHANNELS:
            self.add_channel(name, topic=topic, age_restricted=age_restricted)
        for user in [user for user in self.users.values() if not user.bot]:
            self._add_direct_channel(user)

    def _add_user(self, user: User) -> User:
        self.users[user.id] = user
        return user

    def _build_guild(self, name: str) -> Guild:
        now, guild_id = self.clock.now(), self.ids.next()
        everyone = Role(id=guild_id, name="@everyone", permissions=int(EVERYONE), position=0)
        moderator = Role(
            id=self.ids.next(),
            name="Moderator",
            permissions=int(Permission.MANAGE_MESSAGES | Permission.MANAGE_GUILD),
            position=1,
            color=0x3BA55D,
        )
        managed = Role(
            id=self.ids.next(), name=self.bot.name, permissions=int(BOT_PERMISSIONS), position=2, bot_id=self.bot.id
        )
        members = [
            Member(user=self.owner, role_ids=[], joined_at=now),
            Member(user=self.bot, role_ids=[managed.id], joined_at=now),
            Member(
                user=self._add_user(User(id=self.ids.next(), name=MODERATOR)), role_ids=[moderator.id], joined_at=now
            ),
        ]
        members += [
            Member(user=self._add_user(User(id=self.ids.next(), name=name)), role_ids=[], joined_at=now)
            for name in MEMBERS
        ]
        return Guild(
            id=guild_id,
            name=name,
            owner_id=self.owner.id,
            roles={role.id: role for role in (everyone, moderator, managed)},
            members={member.user.id: member for member in members},
            max_file_bytes=DEFAULT_FILE_BYTES,
            created_at=now,
        )

    def add_member(self, name: str) -> User:
        """Add a member without roles to the server, with a direct message channel to the bot."""
        user = self._add_user(User(id=self.ids.next(), name=name))
        self.guild.members[user.id] = Member(user=user, role_ids=[], joined_at=self.clock.now())
        self._add_direct_channel(user)
        return user

    def _add_direct_channel(self, user: User) -> None:
        channel = Channel(id=self.ids.next(), type=ChannelType.DIRECT, name=f"@{user.name}", recipient_id=user.id)
        self.channels[channel.id] = channel

    def add_channel(
        self, name: str, *, topic: str | None = None, age_restricted: bool = False, voice: bool = False
    ) -> Channel:
        """Add a text channel, or a voice channel with its text chat, to the server."""
        channel = Channel(
            id=self.ids.next(),
            type=ChannelType.VOICE if voice else ChannelType.TEXT,
            name=name,
            guild_id=self.guild.id,
            topic=topic,
            age_restricted=age_restricted,
            position=len(self.channels),
        )
        self.channels[channel.id] = channel
        return channel

    def add_thread(self, name: str, parent: Channel) -> Channel:
        """Add a public thread to a text channel."""
        thread = Channel(
            id=self.ids.next(), type=ChannelType.THREAD, name=name, guild_id=self.guild.id, parent_id=parent.id
        )
        self.channels[thread.id] = thread
        return thread

    def add_foreign_channel(self, name: str, *, age_restricted: bool = False, is_group: bool = False) -> Channel:
        """Add a channel of a server that everybody is in except for the bot, or a group chat of everybody."""
        channel = Channel(
            id=self.ids.next(),
            type=ChannelType.GROUP if is_group else ChannelType.TEXT,
            name=name,
            guild_id=None if is_group else self.foreign_guild_id,
            age_restricted=age_restricted,
            is_foreign=True,
        )
        self.channels[channel.id] = channel
        return channel

    def own_channels(self) -> list[Channel]:
        """Return the channels and threads of the server."""
        return [channel for channel in self.channels.values() if not (channel.is_direct or channel.is_foreign)]

    def listed_channels(self) -> list[Channel]:
        """Return the channels in order, each followed by its threads."""
        tops = [channel for channel in self.channels.values() if not channel.is_thread]
        return [
            channel
            for top in tops
            for channel in (top, *(each for each in self.channels.values() if each.parent_id == top.id))
        ]

    def parent(self, channel: Channel) -> Channel:
        """Return the parent of a thread, or any other channel itself."""
        return channel if channel.parent_id is None else self.channel_even_if_deleted(channel.parent_id)

    def remove_channel(self, channel: Channel) -> None:
        """Delete a channel or thread of the server with everything in it."""
        for thread in [thread for thread in self.channels.values() if thread.parent_id == channel.id]:
            self.remove_channel(thread)
        for message_id in channel.message_ids:
            self.messages[message_id].deleted = True
        channel.message_ids.clear()
        self.removed_channels[channel.id] = self.channels.pop(channel.id)

    def channel_even_if_deleted(self, channel_id: int) -> Channel:
        """Return a channel, even a deleted one, to describe what happened in it."""
        return self.channels.get(channel_id) or self.removed_channels[channel_id]

    # Look-ups raise Discord's own errors, so that REST routes can let them propagate.
    def channel(self, channel_id: int) -> Channel:
        if (channel := self.channels.get(channel_id)) is None:
            raise errors.unknown_channel()
        return channel

    def user(self, user_id: int) -> User:
        if (user := self.users.get(user_id)) is None:
            raise errors.unknown_user()
        return user

    def message(self, channel_id: int, message_id: int) -> Message:
        """Return a message if it is in this channel and not deleted."""
        message = self.messages.get(message_id)
        if message is None or message.deleted or message.channel_id != channel_id:
            raise errors.unknown_message()
        return message

    def user_named(self, name: str) -> User:
        """Return a user by name or id."""
        for user in self.users.values():
            if name in (user.name, str(user.id)) or name.lower() == user.name.lower():
                return user
        raise errors.unknown_member()

    def channel_named(self, name: str, user: User | None = None) -> Channel:
        """Return a channel by name or id; ``dm`` is the direct channel of ``user`` with the bot."""
        wanted = f"@{user.name}" if name == "dm" and user is not None else name.removeprefix("#")
        for channel in self.channels.values():
            if wanted in (channel.name, str(channel.id)):
                return channel
        raise errors.unknown_channel()

    def direct_channel(self, user_id: int) -> Channel:
        """Return the direct message channel of a user and the bot."""
        for channel in self.channels.values():
            if channel.recipient_id == user_id:
                return channel
        raise errors.unknown_user()

    def command_named(self, name: str, kind: CommandType) -> Command:
        """Return a registered command; the server's own takes precedence over a global one of the same name."""
        found = [c for c in self.commands.values() if c.name == name and c.type is kind]
        if not found:
            raise errors.unknown_command()
        return min(found, key=lambda command: command.guild_id is None)

    def permissions(self, channel: Channel, user_id: int) -> Permission:
        """Return a user's permissions in a channel."""
        if channel.is_foreign:
            return foreign_permissions(channel, is_bot=user_id == self.bot.id)
        return channel_permissions(self.guild, channel, self.parent(channel), user_id, now=self.clock.now())

    def max_file_bytes(self, channel: Channel) -> int:
        """Return the maximum size of a file in a channel; the server's boosts apply to its own channels only."""
        is_elsewhere = channel.is_direct or channel.is_foreign
        return DEFAULT_FILE_BYTES if is_elsewhere else self.guild.max_file_bytes

    def viewers(self, channel: Channel) -> list[User]:
        """Return the people who can see a channel, without the bot."""
        if channel.is_direct:
            return [user for user in self.users.values() if user.id == channel.recipient_id]
        if channel.is_foreign:
            return [user for user in self.users.values() if not user.bot]
        people = (member.user for member in self.guild.members.values() if not member.user.bot)
        return [user for user in people if Permission.VIEW_CHANNEL in self.permissions(channel, user.id)]
