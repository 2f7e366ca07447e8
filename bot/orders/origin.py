"""The origin of a request, as a value: who, where, and what may be sent there."""

from dataclasses import dataclass
from typing import Self

import discord
from discord import app_commands

from bot.discord_api.permissions import missing_permissions
from bot.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The requester and the channel of a request.

    ``settings_channel_id`` is the channel whose settings apply (for a thread its parent), if any. ``file_limit_bytes``
    is the size limit per file of a bot's message there: the server's limit, since the interaction's own may stem from
    the member's Nitro and applies to its response only. A server may have the commands without the bot: then
    ``is_bot_there`` is False. ``timed_out_until`` (seconds since 1970) is the end of the bot's own timeout.
    ``may_write`` is whether the requester may write there, if Discord has not already checked that.

    If the bot is not there and the requester has installed it to their own account, ``is_elsewhere`` is True. The rest
    is then as in their direct messages, to which the request has to move before it can be accepted.
    """

    requester_id: int
    guild_id: int | None
    channel_id: int
    settings_channel_id: int | None
    file_limit_bytes: int
    missing_permissions: tuple[str, ...]
    role_ids: tuple[int, ...] = ()
    is_bot_there: bool = True
    may_write: bool = True
    timed_out_until: int | None = None
    is_elsewhere: bool = False

    @classmethod
    def of_interaction(cls, interaction: discord.Interaction) -> Self:
        """Build the origin of a command, button or modal."""
        assert interaction.channel_id is not None, "commands, buttons and modals come from a channel"
        is_bot_there = _is_bot_there(interaction)
        if not is_bot_there and interaction.is_user_integration():
            return cls(
                requester_id=interaction.user.id,
                guild_id=None,
                channel_id=interaction.channel_id,
                settings_channel_id=None,
                file_limit_bytes=_file_limit_bytes(None),
                missing_permissions=(),
                is_elsewhere=True,
            )
        return cls(
            requester_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            settings_channel_id=_settings_channel_id(interaction.channel) or interaction.channel_id,
            file_limit_bytes=_file_limit_bytes(interaction.guild),
            missing_permissions=_missing(interaction.guild, interaction.channel, interaction.app_permissions),
            role_ids=_role_ids(interaction.user),
            is_bot_there=is_bot_there,
            may_write=_may_write(interaction),
            timed_out_until=_timed_out_until(interaction.guild),
        )

    @classmethod
    def of_message(cls, message: discord.Message) -> Self:
        """Build the origin of a message."""
        rights = discord.Permissions.all()
        if message.guild is not None and not isinstance(
            message.channel, discord.DMChannel | discord.PartialMessageable
        ):
            rights = message.channel.permissions_for(message.guild.me)
        return cls(
            requester_id=message.author.id,
            guild_id=message.guild.id if message.guild else None,
            channel_id=message.channel.id,
            settings_channel_id=_settings_channel_id(message.channel) or message.channel.id,
            file_limit_bytes=_file_limit_bytes(message.guild),
            missing_permissions=_missing(message.guild, message.channel, rights),
            role_ids=_role_ids(message.author),
            timed_out_until=_timed_out_until(message.guild),
        )

    def require_can_answer(self) -> None:
        """Raise Refused unless a result for this person can, and may, be posted here.

        The reasons are ``not_in_server``, ``timed_out``, ``missing_permissions`` and ``may_not_write``.
        """
        if not self.is_bot_there:
            raise Refused("not_in_server")
        if self.timed_out_until is not None:
            raise Refused("timed_out", until=self.timed_out_until)
        if self.missing_permissions:
            raise Refused("missing_permissions", permissions=list(self.missing_permissions))
        if not self.may_write:
            raise Refused("may_not_write")


def _is_bot_there(interaction: discord.Interaction) -> bool:
    """Return whether the bot is a member of the server, or one of the two in a direct message.

    https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-interaction-context-types
    """
    if interaction.guild_id is None:
        return not interaction.context.private_channel
    return interaction.client.get_guild(interaction.guild_id) is not None


def _may_write(interaction: discord.Interaction) -> bool:
    """Return whether the bot may write for a person: the result is posted with their words.

    Everyone who sees a message can press its buttons and open its context menu. Who may use a slash command is up to
    Discord and the server's settings.
    """
    is_slash_command = isinstance(interaction.command, app_commands.Command)
    if interaction.guild_id is None or is_slash_command:
        return True
    rights = interaction.permissions
    is_thread = isinstance(interaction.channel, discord.Thread)
    return rights.send_messages_in_threads if is_thread else rights.send_messages


def _settings_channel_id(channel: object) -> int | None:
    return channel.parent_id if isinstance(channel, discord.Thread) else None


def _role_ids(author: discord.User | discord.Member) -> tuple[int, ...]:
    """Return the roles by id, including @everyone, whose id is the server's.

    ``author.roles`` is empty until the server has arrived after a start (discord.py 2.7.1).
    """
    return (author.guild.id, *author._roles) if isinstance(author, discord.Member) else ()


def _timed_out_until(guild: discord.Guild | None) -> int | None:
    until = guild.me.timed_out_until if guild is not None and guild.me is not None else None
    return None if until is None or until <= discord.utils.utcnow() else round(until.timestamp())


def _file_limit_bytes(guild: discord.Guild | None) -> int:
    return discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES if guild is None else guild.filesize_limit


def _missing(guild: discord.Guild | None, channel: object, rights: discord.Permissions) -> tuple[str, ...]:
    return () if guild is None else missing_permissions(rights, channel)
