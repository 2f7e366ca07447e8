"""The permissions the bot needs, and who may do what with whose job."""

from collections.abc import Iterable

import discord

from bot.errors import Refused
from bot.storage.job import Job

# Sending in threads is required in threads only.
NEEDED = ("view_channel", "send_messages", "send_messages_in_threads", "attach_files", "read_message_history")


def permission_words(names: Iterable[str]) -> str:
    """Return permissions as Discord's client names them."""
    special = {"view_channel": "View Channels", "send_messages_in_threads": "Send Messages in Threads"}
    return ", ".join(special.get(name, name.replace("_", " ").title()) for name in names)


def missing_permissions(rights: discord.Permissions, channel: object) -> tuple[str, ...]:
    """Return the permissions that the bot lacks to post a result in a channel or thread.

    Only those who may join a voice channel can use its text chat:
    https://docs.discord.com/developers/resources/message#get-channel-messages.
    """
    unused = "send_messages" if isinstance(channel, discord.Thread) else "send_messages_in_threads"
    needed = [name for name in NEEDED if name != unused]
    if isinstance(channel, discord.VoiceChannel | discord.StageChannel):
        needed.append("connect")
    return tuple(name for name in needed if not getattr(rights, name))


def is_refused_there(client: discord.Client, guild_id: int | None, channel_id: int, needed: str) -> bool:
    """Return whether cached permissions show that Discord would refuse the bot an action in a channel.

    Refused requests count towards a ban of the bot's IP address, and a server's owner could otherwise cause any number.
    """
    guild = None if guild_id is None else client.get_guild(guild_id)
    channel = None if guild is None else guild.get_channel_or_thread(channel_id)
    if guild is None or channel is None:
        return False
    rights = channel.permissions_for(guild.me)
    return not (rights.view_channel and getattr(rights, needed))


def require_moderator(interaction: discord.Interaction) -> int:
    """Return the server's id if the person may manage it; raise Refused (``server_only``, ``not_a_moderator``) if not.

    The command's definition already restricts it, but a server may grant a command to anyone.
    """
    if interaction.guild_id is None:
        raise Refused("server_only")
    if not interaction.permissions.manage_guild:
        raise Refused("not_a_moderator")
    return interaction.guild_id


def may_manage(interaction: discord.Interaction, job: Job) -> bool:
    """Return whether the person may cancel or delete the job: its requester, or whoever may manage messages there."""
    return interaction.user.id == job.requester_id or (
        interaction.guild_id is not None
        and interaction.guild_id == job.guild_id
        and interaction.permissions.manage_messages
    )
