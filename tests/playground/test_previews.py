"""A preview on its way through the real library into the stand-in's channel and out of it again."""

import asyncio
from dataclasses import replace

from bot.components.job_buttons import status_view
from bot.display.cards import Painting
from bot.display.status import StatusBoard
from bot.jobs.status_messages import StatusMessages
from bot.storage.job import JobState
from playground.client import PlaygroundClient
from tests.bot.jobs_made import admit_any_preview, make_job
from tests.playground.conftest import Connect


async def test_a_preview_is_attached_replaced_and_taken_away(
    connect: Connect, playground: PlaygroundClient, picture: bytes
) -> None:
    async with connect() as bot:
        channel = bot.text_channel("gallery")
        status = await channel.send("🎨 **Painting**")
        job = make_job(
            state=JobState.RUNNING,
            guild_id=channel.guild.id,
            channel_id=channel.id,
            status_message_id=status.id,
            spoiler=True,
        )
        board = StatusBoard(
            StatusMessages(bot, status_view).edit, admit_preview=admit_any_preview, deleted=print, interval_seconds=0
        )
        board.show(job, Painting(1, 4, None), picture)
        first = await playground.wait_for_edit(status.id, lambda message: len(message.attachments) == 1)
        assert first.attachments[0].spoiler
        assert first.attachments[0].filename == "SPOILER_preview.jpg"
        assert await playground.download(first.attachments[0].url) == picture
        board.show(job, Painting(2, 4, None))
        words = await playground.wait_for_edit(status.id, lambda message: "2/4" in message.content)
        # Not the URLs: these are signed again each time.
        kept = [attachment.id for attachment in words.attachments]
        assert kept == [first.attachments[0].id]
        board.show(job, Painting(3, 4, None), picture)
        second = await playground.wait_for_edit(status.id, lambda message: "3/4" in message.content)
        assert [attachment.id for attachment in second.attachments] != [first.attachments[0].id]
        assert len(second.attachments) == 1
        last = asyncio.ensure_future(board.settle(replace(job, state=JobState.DELIVERED, result_message_id=5)))
        done = await playground.wait_for_edit(status.id, lambda message: "✅ Done" in message.content)
        assert done.attachments == []
        await last
        await board.close()
