"""The buttons under messages: each carries only a job id; the row is loaded and permissions are checked."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bot import replies
from bot.components.dynamic_button import DynamicButton
from bot.components.order_modal import BackToFormButton, OrderModal
from bot.discord_api.permissions import may_manage
from bot.discord_api.trouble import is_too_large
from bot.errors import Refused
from bot.jobs.shown_inputs import is_shown_input
from bot.orders.options import Options, Source
from bot.orders.origin import Origin
from bot.orders.proposals import options_to_change
from bot.orders.sources import source_in_result
from bot.storage.job import CancelReason, Job, JobState
from generation.strength_ladder import LADDER

if TYPE_CHECKING:
    from bot.client import Palimpsest

log = logging.getLogger(__name__)

JOB_ID = r"(?P<key>[0-9A-Z]{20})"


class JobButton(DynamicButton, template="job"):
    """A button that belongs to a job; its key is the job id."""

    async def press(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        """Act on the job, or do what is possible without it."""
        job = await interaction.client.desk.find(self.key)
        await (self.act_on_forgotten(interaction) if job is None else self.act(interaction, job))

    async def find_job(self, interaction: "discord.Interaction[Palimpsest]") -> Job:
        """Return the job's current row, since a form may stay open for long; raise Refused (``job_unknown``)."""
        job = await interaction.client.desk.find(self.key)
        if job is None:
            raise Refused("job_unknown")
        return job

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        """Perform the button's action."""
        raise TypeError(f"{type(self).__name__} does nothing")

    async def act_on_forgotten(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        """Do what is still possible when the job has been deleted."""
        raise Refused("job_unknown")


class CancelButton(JobButton, template=f"cancel:{JOB_ID}"):
    """Cancels a waiting or running job; for its requester and for moderators."""

    label, emoji, verb = "Cancel", "❌", "cancel"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        if not may_manage(interaction, job):
            raise Refused("not_yours_to_cancel")
        await interaction.response.defer()
        reason = None if interaction.user.id == job.requester_id else CancelReason.BY_MODERATOR
        if not await interaction.client.desk.cancel(job.job_id, reason):
            raise Refused("too_late_to_cancel")


class AgainButton(JobButton, template=f"again:{JOB_ID}"):
    """Repeats the request with a new seed; for everyone who may use the bot here."""

    label, emoji, verb = "Again", "🔁", "again"
    style = discord.ButtonStyle.primary

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        source = Source(parent=job, spoiler=job.spoiler)
        options = interaction.client.orders.options_again(Origin.of_interaction(interaction), job)
        await interaction.client.admission.accept_interaction(interaction, options, source)


class StrengthsButton(JobButton, template=f"strengths:{JOB_ID}"):
    """Repeats the request with the same seed at several strengths; for everyone who may use the bot here."""

    label, emoji, verb = "Strengths", "🪜", "strengths"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        source = Source(parent=job, spoiler=job.spoiler)
        options = interaction.client.orders.options_again(Origin.of_interaction(interaction), job)
        ladder = replace(options, strength=LADDER, count=None, seed=job.seed)
        await interaction.client.admission.accept_interaction(interaction, ladder, source)


class EditButton(JobButton, template=f"edit:{JOB_ID}"):
    """Repeats the request with other words or numbers, through a form prefilled with the current ones."""

    label, emoji, verb = "Edit", "✏️", "edit"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        origin = Origin.of_interaction(interaction)
        origin.require_can_answer()
        if not await interaction.client.desk.has_input(job):
            raise Refused("input_expired")
        consent_ids = Source(parent=job).consent_ids
        interaction.client.screening.require_not_excluded(origin.requester_id, origin.guild_id, consent_ids)

        async def submitted(answer: discord.Interaction, options: Options, _: int) -> None:
            now = await self.find_job(interaction)
            source = Source(parent=now, spoiler=now.spoiler)
            await interaction.client.admission.accept_interaction(answer, options, source)

        client = interaction.client
        chosen = replace(options_to_change(client.orders, client.shelf, origin, job), seed=job.seed)
        await client.forms.show(interaction, OrderModal("Edit", chosen, submitted, made_with=job.model))


class UseAsInputButton(JobButton, template=f"use:{JOB_ID}"):
    """Starts a request from the result itself; if it has several pictures the form asks which one."""

    label, emoji, verb = "Use as input", "🖼️", "use"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        origin = Origin.of_interaction(interaction)
        origin.require_can_answer()
        interaction.client.screening.require_not_excluded(origin.requester_id, origin.guild_id, [job.requester_id])

        async def submitted(answer: discord.Interaction, options: Options, picture: int) -> None:
            now = await self.find_job(interaction)
            source = await source_in_result(interaction.client, now, picture)
            # Choosing a picture of a ladder means choosing its strength, unless that was for its transparent parts.
            if options.strength is None and now.strengths and now.repaint == "all":
                picked = client.orders.options_again(Origin.of_interaction(answer), now, picture)
                options = replace(options, strength=picked.strength)
            await interaction.client.admission.accept_interaction(answer, options, source)

        client = interaction.client
        chosen = options_to_change(client.orders, client.shelf, origin, job)
        if job.strengths:
            chosen = replace(chosen, strength=None, count=None)
        if job.repaint != "all":  # a result has no transparent parts
            chosen = replace(chosen, strength=None, repaint=None)
        modal = OrderModal("Use as input", chosen, submitted, pictures=job.count, made_with=job.model)
        await client.forms.show(interaction, modal)


class BeforeAfterButton(JobButton, template=f"input:{JOB_ID}"):
    """Shows the picture that the requester started from beside the result, or hides it again; for the requester."""

    label, emoji, verb = "Before/after", "🌗", "input"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        message = interaction.message
        assert message is not None, "the button is under one"
        if interaction.user.id != job.requester_id:
            raise Refused("not_yours_to_show")
        await interaction.response.defer()
        files: list[discord.Attachment | discord.File] = [
            each for each in message.attachments if not is_shown_input(job, each)
        ]
        if len(files) == len(message.attachments):
            limit_bytes = Origin.of_interaction(interaction).file_limit_bytes
            files.append(await interaction.client.shown_inputs.file_of(job, max_bytes=limit_bytes))
        try:
            await message.edit(attachments=files)
        except discord.NotFound as error:
            raise Refused("result_gone") from error
        except discord.HTTPException as error:
            if is_too_large(error):
                raise Refused("upload_too_large") from error
            raise


class DeleteButton(JobButton, template=f"delete:{JOB_ID}"):
    """Deletes the result and the pictures kept for it; for the requester and for moderators."""

    label, emoji, verb = "Delete", "🗑️", "delete"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        if not may_manage(interaction, job):
            raise Refused("not_yours_to_delete")
        await interaction.response.defer()
        client, moderator_id = interaction.client, interaction.user.id
        await client.desk.delete(job.job_id)
        if moderator_id != job.requester_id and job.guild_id is not None:  # this settles its reports, too
            await client.reports.settle(job.job_id)
            about = {"member_id": job.requester_id, "job_id": job.job_id}
            await client.mod_log.write(job.guild_id, moderator_id, "deleted", **about)

    async def act_on_forgotten(self, interaction: "discord.Interaction[Palimpsest]") -> None:
        """Delete the message anyway; its text mentions only its requester, so ownership can still be checked."""
        message = interaction.message
        assert message is not None, "the button is under one"
        is_moderator = interaction.guild_id is not None and interaction.permissions.manage_messages
        if interaction.user.id not in message.raw_mentions and not is_moderator:
            raise Refused("not_yours_to_delete")
        await interaction.response.defer()
        await message.delete()


class ReportButton(JobButton, template=f"report:{JOB_ID}"):
    """Asks moderators to look at a result; for everyone who sees it."""

    label, emoji, verb = "Report", "🚩", "report"

    async def act(self, interaction: "discord.Interaction[Palimpsest]", job: Job) -> None:
        client = interaction.client
        count = await client.reports.add(job.job_id, interaction.user.id, job.guild_id)
        if count == 1:  # later reports are only counted: many people must not flood the moderators' channel
            client.mod_log.note(job, "reported", None)
            if job.guild_id is None:  # there are no moderators there: the operator reads it in the log
                log.warning("the result of job %s, in a direct message, was reported", job.job_id)
        text = replies.reported(is_new=count > 0, is_server=job.guild_id is not None)
        await interaction.response.send_message(text, ephemeral=True)


BUTTONS: tuple[type[discord.ui.DynamicItem[Any]], ...] = (
    CancelButton,
    AgainButton,
    StrengthsButton,
    EditButton,
    UseAsInputButton,
    BeforeAfterButton,
    DeleteButton,
    ReportButton,
    BackToFormButton,
)


def status_view(job: Job) -> discord.ui.View | None:
    """Return the buttons of the status message: Cancel while the job is open, or ways to continue after a failure."""
    if job.can_be_tried_again:
        return _view(AgainButton(job.job_id), EditButton(job.job_id))
    if job.state not in (JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING):
        return None
    return _view(CancelButton(job.job_id))


def result_view(job: Job, *, takes_strength: bool) -> discord.ui.View:
    """Return the buttons of the result message; Discord allows five per row."""
    ways_on = [AgainButton(job.job_id), EditButton(job.job_id), UseAsInputButton(job.job_id)]
    if takes_strength and not job.strengths:
        ways_on.append(StrengthsButton(job.job_id))
    about_it: list[JobButton] = [DeleteButton(job.job_id), ReportButton(job.job_id)]
    # The input of a message or of an earlier result is in the channel already.
    if job.input_owner_id is None and (job.attachment_url is None or job.request_message_id is None):
        about_it.insert(0, BeforeAfterButton(job.job_id))
    for button in about_it:
        button.row = 0 if len(ways_on) + len(about_it) <= 5 else 1  # all on the same row
    return _view(*ways_on, *about_it)


def _view(*items: discord.ui.Item[Any]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
