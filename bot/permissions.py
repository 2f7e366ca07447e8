"""Who may do what with whose job."""

import discord

from bot.storage.job import Job


def may_manage(interaction: discord.Interaction, job: Job) -> bool:
    """Tell whether the person may cancel or delete the job: its requester, or who may manage messages there."""
    return interaction.user.id == job.requester_id or (
        interaction.guild_id is not None
        and interaction.guild_id == job.guild_id
        and interaction.permissions.manage_messages
    )
