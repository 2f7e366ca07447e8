"""Who may do what, and what the bot itself may do where it stands."""

import discord

from bot.errors import Refused
from bot.storage.job import Job


def require_room_to_answer(interaction: discord.Interaction) -> None:
    """Raise Refused (``missing_permissions``) unless a result could be posted where this comes from."""
    if interaction.guild_id is None:
        return
    rights = interaction.app_permissions
    send = "send_messages_in_threads" if isinstance(interaction.channel, discord.Thread) else "send_messages"
    needed = ("view_channel", send, "attach_files", "read_message_history")
    missing = [name for name in needed if not getattr(rights, name)]
    if missing:
        raise Refused("missing_permissions", permissions=missing)


def may_manage(interaction: discord.Interaction, job: Job) -> bool:
    """Tell whether the person may cancel or delete the job: its requester, or who may manage messages there."""
    return interaction.user.id == job.requester_id or (
        interaction.guild_id is not None
        and interaction.guild_id == job.guild_id
        and interaction.permissions.manage_messages
    )
