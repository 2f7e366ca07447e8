"""Where the source picture of a request comes from."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

import aiohttp
import discord

from bot.errors import Refused
from bot.jobs.channels import result_message
from bot.orders.options import Source
from bot.storage.job import Job
from bot.storage.jobs import Jobs
from generation.images.decoder import MAX_INPUT_BYTES

_LOOKING_SECONDS = 1.0  # of the three for an answer
_READABLE = (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.Thread)
_READING = discord.Permissions(view_channel=True, read_message_history=True)


def source_of(attachment: discord.Attachment, mask: discord.Attachment | None = None) -> Source:
    """Return an attachment as a source, with its mask if there is one.

    Raises Refused (``attachment_too_large``) before anything is downloaded.
    """
    for each in (attachment, mask):
        if each is not None and each.size > MAX_INPUT_BYTES:
            raise Refused("attachment_too_large", max_bytes=MAX_INPUT_BYTES)
    return Source(
        attachment_url=attachment.url,
        mask_url=None if mask is None else mask.url,
        spoiler=attachment.is_spoiler(),
        ignored_pictures=0 if mask is None else 1,
    )


def source_in(message: discord.Message) -> Source | None:
    """Return the first picture of a message: attachment, embed, layout component or sticker; None if there is none.

    Pictures of a forwarded message count too. A picture in an embed may be anywhere on the internet; Discord's proxy
    has a copy, and only the proxy is contacted.
    """
    shown = (message, *message.message_snapshots)
    pictures = [attachment for part in shown for attachment in part.attachments if _may_be_picture(attachment)]
    embeds = [embed for part in shown for embed in part.embeds]
    proxied = [url for embed in embeds for url in (embed.image.proxy_url, embed.thumbnail.proxy_url) if url]
    beside = len(pictures) + len(proxied) - 1
    if pictures:
        mask_url = pictures[1].url if len(pictures) > 1 else None  # if the message says that it is one
        source = source_of(pictures[0])
        return replace(source, mask_url=mask_url, ignored_pictures=beside, posted_by=message.author.id)
    if proxied:
        return Source(attachment_url=proxied[0], ignored_pictures=beside, posted_by=message.author.id)
    if laid_out := [item for part in shown for item in _laid_out(part.components)]:
        url, spoiler = laid_out[0]
        return Source(
            attachment_url=url, spoiler=spoiler, ignored_pictures=len(laid_out) - 1, posted_by=message.author.id
        )
    stickers = [sticker for part in shown for sticker in part.stickers]
    drawn = [sticker.url for sticker in stickers if sticker.format is not discord.StickerFormatType.lottie]
    return Source(attachment_url=drawn[0], posted_by=message.author.id) if drawn else None


async def source_with_owner(client: discord.Client, jobs: Jobs, message: discord.Message) -> Source | None:
    """Return the same source with its owner: a result's requester, or the original poster of a forwarded message.

    Whoever forwarded it counts as its poster if the bot cannot see the original message.
    """
    source = source_in(message)
    if source is None:
        return None
    origin, reference = message, message.reference
    if message.message_snapshots and reference is not None and reference.message_id is not None:
        if (job := await jobs.by_message(reference.message_id)) is not None:
            return replace(source, posted_by=job.requester_id)
        channel = client.get_channel(reference.channel_id)
        # Not fetched where that would be refused: refusals count towards a ban of the bot's IP address.
        if isinstance(channel, _READABLE) and channel.permissions_for(channel.guild.me).is_superset(_READING):
            try:
                async with asyncio.timeout(_LOOKING_SECONDS):
                    origin = await channel.fetch_message(reference.message_id)
            except (discord.HTTPException, aiohttp.ClientError, OSError):  # which includes TimeoutError
                return source
    return replace(source, posted_by=_poster(client, origin))


def _poster(client: discord.Client, message: discord.Message) -> int:
    """Return the owner of a message; a result's text mentions its requester and nobody else."""
    return next(iter(message.raw_mentions), message.author.id) if message.author == client.user else message.author.id


async def source_in_result(client: discord.Client, job: Job, index: int) -> Source:
    """Return a result's picture (counted from 0) as a source; raise Refused (``result_gone``)."""
    attachments = (await result_message(client, job)).attachments[: job.count]
    if index >= len(attachments):
        raise Refused("result_gone")
    return Source(attachment_url=attachments[index].url, parent=job, spoiler=job.spoiler)


def _laid_out(components: Iterable[discord.Component]) -> Iterator[tuple[str, bool]]:
    """Yield the pictures of a layout (Components V2) of another bot, as proxied URLs and whether they are spoilers."""
    for component in components:
        if isinstance(component, discord.Container):
            for url, spoiler in _laid_out(component.children):
                yield url, spoiler or component.spoiler
        elif isinstance(component, discord.SectionComponent):
            yield from _laid_out([component.accessory])
        elif isinstance(component, discord.MediaGalleryComponent):
            for item in component.items:
                yield from _shown_in(item.media, spoiler=item.spoiler)
        elif isinstance(component, discord.ThumbnailComponent):
            yield from _shown_in(component.media, spoiler=component.spoiler)


def _shown_in(media: discord.UnfurledMediaItem, *, spoiler: bool) -> Iterator[tuple[str, bool]]:
    if media.proxy_url and _may_be_picture(media):
        yield media.proxy_url, spoiler


def _may_be_picture(attachment: discord.Attachment | discord.UnfurledMediaItem) -> bool:
    """Rule out audio, video and text by the declared type; decoding decides about the rest."""
    kind = (attachment.content_type or "").partition("/")[0]
    return kind not in ("audio", "video", "text")
