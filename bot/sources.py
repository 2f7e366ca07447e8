"""Where the picture to begin with comes from."""

import discord

from bot.attachments import MAX_INPUT_BYTES
from bot.errors import Refused
from bot.orders import Source


def source_of(attachment: discord.Attachment, *, ignored_pictures: int = 0) -> Source:
    """Return an attachment as a source; raise Refused for one that need not be downloaded to be refused."""
    if attachment.size > MAX_INPUT_BYTES:
        raise Refused("attachment_too_large", max_bytes=MAX_INPUT_BYTES)
    return Source(
        attachment_url=attachment.url,
        spoiler=attachment.is_spoiler(),
        ignored_pictures=ignored_pictures,
    )
