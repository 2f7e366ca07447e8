"""From what a person chose to a job in which nothing is undecided."""

import time
from dataclasses import dataclass

import discord

from bot.attachments import MAX_INPUT_BYTES
from bot.errors import Refused
from bot.storage.job import Job
from generation.catalog import Catalog
from generation.job_id import new_job_id
from generation.requests import (
    check_negative_prompt,
    check_prompt,
    draw_seed,
    steps_for_strength,
)

_REQUEST_LIMIT_BYTES = 25 * 1024 * 1024  # of all files of one message; Discord, "Create Message"
_DIRECT_MESSAGE_LIMIT_BYTES = 10 * 1024 * 1024
_FORM_BYTES = 64 * 1024  # what a request holds beside its files


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What somebody chose; None where nothing was chosen."""

    prompt: str
    negative_prompt: str | None = None
    strength: float | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    seed: int | None = None
    count: int | None = None
    size: int | None = None
    model: str | None = None


class OrderBook:
    """Decide every default once: options, over the model's own numbers, within the operator's limits."""

    def __init__(self, catalog: Catalog, *, default_model: str, max_count: int) -> None:
        self._catalog = catalog
        self._default_model = default_model
        self._max_count = max_count

    def order(
        self,
        interaction: discord.Interaction,
        options: Options,
        *,
        spoiler: bool,
        attachment_url: str | None = None,
        parent: Job | None = None,
    ) -> Job:
        """Return a new job.

        Raises InvalidRequest, ModelUnavailable or Refused (``too_many_pictures``, ``size_too_large``).
        """
        model = self._catalog.find(options.model or self._default_model)
        defaults = model.defaults
        check_prompt(options.prompt)
        check_negative_prompt(options.negative_prompt or "")
        count = options.count or 1
        if count > self._max_count:
            raise Refused("too_many_pictures", max_count=self._max_count)
        size = options.size or defaults.size
        if size > model.max_size:
            raise Refused("size_too_large", model=model.title, max_size=model.max_size)
        strength = defaults.strength if options.strength is None else options.strength
        steps = options.num_inference_steps or defaults.num_inference_steps
        assert interaction.channel_id is not None
        return Job(
            job_id=new_job_id(),
            requester_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            prompt=options.prompt.strip(),
            negative_prompt=(options.negative_prompt or "").strip(),
            strength=strength,
            guidance_scale=defaults.guidance_scale if options.guidance_scale is None else options.guidance_scale,
            num_inference_steps=steps_for_strength(strength, steps),
            seed=draw_seed() if options.seed is None else options.seed,
            count=count,
            max_pixels=size * size,
            model=model.name,
            max_result_bytes=_max_result_bytes(interaction, count),
            spoiler=spoiler,
            accepted_at=time.time(),
            attachment_url=attachment_url,
            parent_job_id=parent.job_id if parent else None,
            input_sha256=parent.input_sha256 if parent else None,
        )


def check_attachment(attachment: discord.Attachment) -> None:
    """Raise Refused (``attachment_too_large``) for a file that need not be downloaded to be refused."""
    if attachment.size > MAX_INPUT_BYTES:
        raise Refused("attachment_too_large", max_bytes=MAX_INPUT_BYTES)


def _max_result_bytes(interaction: discord.Interaction, count: int) -> int:
    """Return what one of ``count`` files may have.

    The interaction's own limit may come from the member's Nitro and counts only for its own response; the result is a
    message of the bot, for which the server's limit holds.
    """
    guild = interaction.guild
    file_limit = _DIRECT_MESSAGE_LIMIT_BYTES if guild is None else guild.filesize_limit
    return min(file_limit, (_REQUEST_LIMIT_BYTES - _FORM_BYTES) // count)
