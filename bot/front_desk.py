"""Where a person's wish becomes a job: checks that need no waiting, the acknowledgement, then the desk."""

from dataclasses import replace

import discord

from bot.cards import status_text
from bot.desk import JobDesk
from bot.errors import Refused
from bot.orders import Options, OrderBook, check_attachment
from bot.permissions import require_room_to_answer
from bot.storage.job import Job


class FrontDesk:
    """Take wishes from interactions. What is refused here is refused to the person alone and costs nobody anything."""

    def __init__(self, desk: JobDesk, orders: OrderBook, *, max_waiting: int, max_waiting_per_member: int) -> None:
        self._desk = desk
        self._orders = orders
        self._max_waiting = max_waiting
        self._max_waiting_per_member = max_waiting_per_member

    async def img2img(self, interaction: discord.Interaction, image: discord.Attachment, options: Options) -> None:
        """Turn an attached picture into a job."""
        self._check_room(interaction)
        check_attachment(image)
        job = self._orders.order(
            interaction, options, attachment_url=image.url, spoiler=image.filename.startswith("SPOILER_")
        )
        await self._acknowledge(interaction, job)

    async def again(self, interaction: discord.Interaction, job: Job) -> None:
        """Repeat a job with a new seed, for whoever asks."""
        self._check_room(interaction)
        options = Options(
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            strength=job.strength,
            guidance_scale=job.guidance_scale,
            num_inference_steps=job.num_inference_steps,
            count=job.count,
            size=round(job.max_pixels**0.5),
            model=job.model,
        )
        again = self._orders.order(interaction, options, parent=job, spoiler=job.spoiler)
        await self._acknowledge(interaction, again)

    def _check_room(self, interaction: discord.Interaction) -> None:
        require_room_to_answer(interaction)
        if self._desk.open_jobs() >= self._max_waiting:
            raise Refused("queue_full", max_waiting=self._max_waiting)
        if self._desk.open_jobs(interaction.user.id) >= self._max_waiting_per_member:
            raise Refused("member_queue_full", max_waiting=self._max_waiting_per_member)

    async def _acknowledge(self, interaction: discord.Interaction, job: Job) -> None:
        """Answer within Discord's 3 s, then take the job; the answer is the status message from here on."""
        response = await interaction.response.send_message(
            status_text(job), allowed_mentions=discord.AllowedMentions.none()
        )
        await self._desk.take(replace(job, status_message_id=response.message_id))
