"""The buttons under moderators' notices: Delete, Spoiler, List picture, Block; each checks who presses it."""

import asyncio
from typing import TYPE_CHECKING, Any

import discord

from bot.components.dynamic_button import DynamicButton
from bot.components.job_buttons import JOB_ID, JobButton
from bot.discord_api.permissions import require_moderator
from bot.errors import Refused
from bot.moderation.actions import block_member, block_result, hide_result
from bot.storage.job import Job

if TYPE_CHECKING:
    from bot.client import Palimpsest


def _notice_lock(interaction: "discord.Interaction[Palimpsest]") -> asyncio.Lock:
    assert interaction.message is not None, "a button is pressed on a message"
    return interaction.client.mod_log.notice_lock(interaction.message.id)


async def _decided(interaction: "discord.Interaction[Palimpsest]", action: str, words: str, **more: Any) -> None:
    """Record a decision in the audit trail, and append it to the notice."""
    assert interaction.guild_id is not None, "only a server's moderators come this far"
    await interaction.client.mod_log.write(interaction.guild_id, interaction.user.id, action, **more)
    notice = await interaction.original_response()  # the current text: somebody else may have acted in the meantime
    text = f"{notice.content}\n{words} by <@{interaction.user.id}>"
    await interaction.edit_original_response(content=text[:2000])


class _ModButton(JobButton, template="job"):
    """A button for moderators of the job's server."""

    done: str
    action: str

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        if require_moderator(interaction) != job.guild_id:
            raise Refused("job_unknown")
        await interaction.response.defer()
        async with _notice_lock(interaction):
            await self.decide(interaction, job)
            await interaction.client.reports.settle(job.job_id)
            words = f"{self.emoji} {self.done}"
            await _decided(interaction, self.action, words, member_id=job.requester_id, job_id=job.job_id)

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        """Perform the button's action."""
        raise TypeError(f"{type(self).__name__} does nothing")


class ModDeleteButton(_ModButton, template=f"mod-delete:{JOB_ID}"):
    """Deletes the result and everything kept for it, or cancels the job if it is unfinished."""

    label, emoji, verb, action, done = "Delete", "🗑️", "mod-delete", "deleted", "Deleted"

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        await interaction.client.desk.delete(job.job_id)


class ModSpoilerButton(_ModButton, template=f"mod-spoiler:{JOB_ID}"):
    """Marks the result's pictures as spoilers."""

    label, emoji, verb, action, done = "Spoiler", "🫣", "mod-spoiler", "hidden", "Hidden"

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        await hide_result(interaction.client, job)


class ModListButton(_ModButton, template=f"mod-list:{JOB_ID}"):
    """Bans the result's pictures in the server, both as inputs and as results."""

    label, emoji, verb, action, done = "List picture", "🚫", "mod-list", "picture_added", "Listed"

    async def decide(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        assert job.guild_id is not None, "only a server's jobs come this far"
        await block_result(interaction.client, job.guild_id, job)


class ModBlockButton(DynamicButton, template=r"mod-block:(?P<key>[0-9]{1,20})"):
    """Blocks a member in the server, and cancels their open jobs.

    Its key is the member and not a job, because a refused prompt has no job.
    """

    label, emoji, verb, style = "Block", "⛔", "mod-block", discord.ButtonStyle.danger

    async def press(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        member_id, guild_id = int(self.key), require_moderator(interaction)
        await interaction.response.defer()
        async with _notice_lock(interaction):
            await block_member(interaction.client, guild_id, member_id)
            await _decided(interaction, "member_blocked", "⛔ Blocked", member_id=member_id)


MOD_BUTTONS: tuple[type[discord.ui.DynamicItem[Any]], ...] = (
    ModDeleteButton,
    ModSpoilerButton,
    ModListButton,
    ModBlockButton,
)


def decision_view(job: Job, *, is_shown: bool) -> discord.ui.View:
    """Return the buttons for a job: all of them if its result ``is_shown``, only Block if it was refused."""
    view = discord.ui.View(timeout=None)
    if is_shown:
        view.add_item(ModDeleteButton(job.job_id))
        view.add_item(ModSpoilerButton(job.job_id))
        view.add_item(ModListButton(job.job_id))
    view.add_item(ModBlockButton(str(job.requester_id)))
    return view
