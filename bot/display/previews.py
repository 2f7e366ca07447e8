"""How a picture looks while it is painted: the file that the status message carries meanwhile."""

import io

import discord

from bot.storage.job import Job

_EXTENSIONS = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"RIFF": "webp"}


def preview_file(job: Job, data: bytes) -> discord.File:
    """Return a preview as a file, hidden as the result will be."""
    extension = next((name for magic, name in _EXTENSIONS.items() if data.startswith(magic)), "jpg")
    return discord.File(
        io.BytesIO(data),
        filename=f"preview.{extension}",
        spoiler=job.spoiler,
        description="How the picture looks while it is painted",
    )
