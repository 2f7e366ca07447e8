"""The pictures that results were made from, shown beside them if their requesters want that."""

import io
import re

import discord

from bot.errors import Refused
from bot.screening.screening import Screening
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from bot.storage.spool import INPUT_FILENAME, Spool
from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.transparency import has_transparency


class ShownInputs:
    """Makes a job's kept input picture a file for its result message."""

    def __init__(self, jobs: Jobs, spool: Spool, decoder: ImageDecoder, screening: Screening) -> None:
        self._jobs = jobs
        self._spool = spool
        self._decoder = decoder
        self._screening = screening

    async def file_of(self, job: Job, *, max_bytes: int) -> discord.File:
        """Return the clean input, re-encoded if it is larger than ``max_bytes``, and hidden as the result is.

        It has no alpha: what is transparent is white, and what a mask marks is shown as it was sent.

        It is checked again, because lists and the channel may have changed. Raises Refused (``not_yours_to_show`` for
        another member's picture, ``input_expired``, ``upload_too_large``, or as ``require_not_excluded`` and
        ``screen_input`` of ``Screening`` do), StorageTrouble or ExecutorError.
        """
        if job.input_owner_id is not None:
            raise Refused("not_yours_to_show")
        self._screening.require_not_excluded(job.requester_id, job.guild_id)
        try:
            data, extension = await self._spool.read(job.job_id, INPUT_FILENAME), "png"
        except FileNotFoundError as error:
            raise Refused("input_expired") from error
        await self._screening.screen_input(job, data, job.input_sha256 or "")
        # With its alpha, what a mask marks would look removed, but still be in the file for everyone to find; and an
        # alpha can be a picture itself, which was not checked, since the check sees colours only.
        if len(data) > max_bytes or has_transparency(data):
            try:
                data, media_type = await self._decoder.encode_smaller(data, max_bytes=max_bytes)
            except ImageRefused as error:
                raise Refused("upload_too_large") from error
            extension = media_type.rpartition("/")[2]
        row = await self._jobs.get(job.job_id)
        return discord.File(
            io.BytesIO(data),
            filename=f"input-{job.job_id}.{extension}",
            spoiler=job.spoiler if row is None else row.spoiler,
            description="The picture that the result was painted over",
        )


def is_shown_input(job: Job, attachment: discord.Attachment) -> bool:
    """Return whether this file of a result's message is the job's input."""
    return re.fullmatch(rf"(?:SPOILER_)?input-{job.job_id}\.\w+", attachment.filename) is not None
