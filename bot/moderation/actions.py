"""Moderators' actions: hide a delivered result, block a member, list a picture."""

import asyncio
import io
from collections.abc import Collection
from typing import TYPE_CHECKING

import discord

from bot.errors import Refused
from bot.jobs.channels import result_message
from bot.storage.job import CancelReason, Job
from bot.storage.policies import EVERYWHERE

if TYPE_CHECKING:
    from bot.client import Palimpsest

MAX_LISTED = 500  # words, and pictures: every prompt and picture is compared with all of them
# With a list crafted to slow the bot down, each character costs it 26 µs per prompt.
MAX_TERMS_CHARACTERS = 4_000


async def hide_result(client: "Palimpsest", job: Job) -> None:
    """Replace a result's pictures with spoilers, and make everything derived from it a spoiler, too.

    Discord stores the mark in the file name, which only a new upload can change. An input shown beside them is removed:
    with it the upload might be too large. Raises Refused (``result_gone``).
    """
    await client.jobs.hide(job.job_id)
    if job.result_message_id is None:
        if job.state.is_settled:
            raise Refused("result_gone")
        return  # it will arrive as a spoiler
    message = await result_message(client, job)
    if all(attachment.is_spoiler() for attachment in message.attachments):
        return
    files = [
        discord.File(
            io.BytesIO(await client.downloads.fetch(attachment.url)),
            filename=attachment.filename.removeprefix("SPOILER_"),
            spoiler=True,
            description=attachment.description,
        )
        for attachment in message.attachments[: job.count]
    ]
    await message.edit(attachments=files, allowed_mentions=discord.AllowedMentions.none())


async def block_member(client: "Palimpsest", guild_id: int, member_id: int) -> None:
    """Block a member in a server, or EVERYWHERE, and cancel their waiting and running jobs there."""
    await client.policies.block_member(guild_id, member_id)
    theirs = [
        job
        for job in await client.jobs.unsettled()
        if job.requester_id == member_id and guild_id in (EVERYWHERE, job.guild_id)
    ]
    await asyncio.gather(*(client.desk.cancel(job.job_id, CancelReason.BY_MODERATOR) for job in theirs))


def require_room(listed: Collection[object]) -> None:
    """Raise Refused (``list_full``) if a list of words or pictures is full."""
    if len(listed) >= MAX_LISTED:
        raise Refused("list_full", limit=MAX_LISTED)


def require_room_for_term(listed: Collection[str], term: str) -> None:
    """Raise Refused (``list_full``, ``terms_full``) if a server's list of words has no room for this one."""
    require_room(listed)
    if sum(map(len, listed)) + len(term) > MAX_TERMS_CHARACTERS:
        raise Refused("terms_full", limit=MAX_TERMS_CHARACTERS)


async def block_picture(client: "Palimpsest", guild_id: int, attachment_url: str) -> str:
    """Put a picture on the server's list and return its sha256.

    Raises Refused (``list_full``, or for a failed download), ImageRefused or CheckFailed.
    """
    require_room(client.policies.pictures(guild_id))
    image = await client.decoder.decode(await client.downloads.fetch(attachment_url))
    looks = (await client.checker.check(image.data)).perceptual_hash
    await client.policies.block_picture(guild_id, image.sha256, looks)
    return image.sha256


async def block_result(client: "Palimpsest", guild_id: int, job: Job) -> None:
    """Put a result's pictures on the server's list; raise Refused (``result_gone``), or as ``block_picture`` does."""
    message = await result_message(client, job)
    for attachment in message.attachments[: job.count]:
        await block_picture(client, guild_id, attachment.url)
