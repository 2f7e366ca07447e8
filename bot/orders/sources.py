"""Where the picture to begin with comes from."""

import discord

from bot.errors import Refused
from bot.orders.order_book import Source
from bot.storage.job import Job
from generation.images.decoder import MAX_INPUT_BYTES


def source_of(attachment: discord.Attachment, *, ignored_pictures: int = 0, posted_by: int | None = None) -> Source:
    """Return an attachment as a source; raise Refused (``attachment_too_large``) before downloading it."""
    if attachment.size > MAX_INPUT_BYTES:
        raise Refused("attachment_too_large", max_bytes=MAX_INPUT_BYTES)
    return Source(
        attachment_url=attachment.url,
        spoiler=attachment.is_spoiler(),
        ignored_pictures=ignored_pictures,
        posted_by=posted_by,
    )


def source_in(message: discord.Message) -> Source | None:
    """Return the first picture of a message, attached or embedded, or None if it shows none.

    Pictures of a forwarded message count too. A picture in an embed lies anywhere on the internet; Discord's
    proxy has a copy, and only the proxy is asked.
    """
    shown = (message, *message.message_snapshots)
    pictures = [attachment for part in shown for attachment in part.attachments if _may_be_picture(attachment)]
    embeds = [embed for part in shown for embed in part.embeds]
    proxied = [url for embed in embeds for url in (embed.image.proxy_url, embed.thumbnail.proxy_url) if url]
    beside = len(pictures) + len(proxied) - 1
    if pictures:
        return source_of(pictures[0], ignored_pictures=beside, posted_by=message.author.id)
    if proxied:
        return Source(attachment_url=proxied[0], ignored_pictures=beside, posted_by=message.author.id)
    return None


async def source_in_result(client: discord.Client, job: Job, index: int) -> Source:
    """Return a picture of a result, counted from 0, as a source; raise Refused (``result_gone``)."""
    attachments = (await result_message(client, job)).attachments
    if index >= len(attachments):
        raise Refused("result_gone")
    return Source(attachment_url=attachments[index].url, parent=job, spoiler=job.spoiler)


async def result_message(client: discord.Client, job: Job) -> discord.Message:
    """Fetch a result's message, because addresses of files expire; raise Refused (``result_gone``)."""
    if job.result_message_id is None:
        raise Refused("result_gone")
    channel = client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
    try:
        return await channel.fetch_message(job.result_message_id)
    except (discord.NotFound, discord.Forbidden) as error:
        raise Refused("result_gone") from error


def _may_be_picture(attachment: discord.Attachment) -> bool:
    """Rule out sounds, videos and texts by their declared type; decoding tells about the rest."""
    kind = (attachment.content_type or "").partition("/")[0]
    return kind not in ("audio", "video", "text")
