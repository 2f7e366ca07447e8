"""The buttons under what moderators are told: Delete, Spoiler, Block; each checks who presses it and where."""

from typing import TYPE_CHECKING, Any

import discord

from bot.buttons import JOB_ID, JobButton
from bot.errors import Refused
from bot.moderation_acts import block_member, hide_result
from bot.permissions import require_moderator
from bot.storage.job import Job

if TYPE_CHECKING:
    from bot.client import Palimpsest


class _ModButton(JobButton, template="job"):
    """A button for who may manage the server that the job belongs to."""

    done: str
    action: str

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        guild_id = require_moderator(interaction)
        if guild_id != job.guild_id:
            raise Refused("job_unknown")
        await interaction.response.defer()
        await self.decide(interaction, job)
        client = interaction.client
        await client.reports.settle(job.job_id)
        await client.mod_log.write(
            guild_id, interaction.user.id, self.action, member_id=job.requester_id, job_id=job.job_id
        )
        assert interaction.message is not None, "a button is pressed on a message"
        text = f"{interaction.message.content}\n{self.emoji} {self.done} by <@{interaction.user.id}>"
        await interaction.edit_original_response(
            content=text[:2000], view=decision_view(job), allowed_mentions=discord.AllowedMentions.none()
        )

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        """Do what the button says."""
        raise TypeError(f"{type(self).__name__} does nothing")


class ModDeleteButton(_ModButton, template=f"mod-delete:{JOB_ID}"):
    """Delete the result and what is kept for it, or give the job up if it is not done."""

    label, emoji, verb, action, done = "Delete", "🗑️", "mod-delete", "deleted", "Deleted"

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        await interaction.client.desk.cancel(job.job_id)
        await interaction.client.desk.delete(job.job_id)


class ModSpoilerButton(_ModButton, template=f"mod-spoiler:{JOB_ID}"):
    """Hide the result's pictures."""

    label, emoji, verb, action, done = "Spoiler", "🫣", "mod-spoiler", "hidden", "Hidden"

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        await hide_result(interaction.client, job)


class ModBlockButton(_ModButton, template=f"mod-block:{JOB_ID}"):
    """Let the requester ask for nothing more in the server, and give up what waits of theirs."""

    label, emoji, verb, action, done = "Block", "⛔", "mod-block", "member_blocked", "Blocked"
    style = discord.ButtonStyle.danger

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        assert job.guild_id is not None, "only a server's jobs come this far"
        await block_member(interaction.client, job.guild_id, job.requester_id)


MOD_BUTTONS: tuple[type[discord.ui.DynamicItem[Any]], ...] = (ModDeleteButton, ModSpoilerButton, ModBlockButton)


def decision_view(job: Job) -> discord.ui.View:
    """Return the buttons for a job."""
    view = discord.ui.View(timeout=None)
    for button in (ModDeleteButton(job.job_id), ModSpoilerButton(job.job_id), ModBlockButton(job.job_id)):
        view.add_item(button)
    return view
