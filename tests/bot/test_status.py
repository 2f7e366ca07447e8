"""The status message: the newest preview is attached while a picture is painted, and gone when it is over."""

import asyncio
from dataclasses import replace
from typing import Any

import discord

from bot.cards import Painting
from bot.previews import admit_any_preview, preview_file
from bot.status import StatusBoard
from bot.storage.job import Job, JobState
from tests.bot.jobs_made import make_job

RUNNING = make_job(state=JobState.RUNNING)
JPEG, WEBP = b"\xff\xd8\xff\xe0 one", b"RIFF\0\0\0\0WEBP two"


class Edits:
    """Takes the edits of a board, one whenever the test lets it, and refuses those that it is told to refuse."""

    def __init__(self, *refusals: int) -> None:
        self.taken: list[tuple[str, list[bytes] | None]] = []
        self._refusals = list(refusals)
        self._came = asyncio.Condition()

    async def edit(self, _job: Job, text: str, _view: discord.ui.View | None, previews: Any) -> None:
        if previews and self._refusals:
            raise discord.HTTPException(_Response(self._refusals.pop(0)), "refused")  # type: ignore[arg-type]
        async with self._came:
            self.taken.append((text.splitlines()[0], None if previews is None else list(previews)))
            self._came.notify_all()

    async def number(self, count: int) -> tuple[str, list[bytes] | None]:
        async with self._came:
            await self._came.wait_for(lambda: len(self.taken) >= count)
        return self.taken[count - 1]


class _Response:
    def __init__(self, status: int) -> None:
        self.status, self.reason = status, "refused"


async def test_the_newest_preview_goes_with_the_next_edit_and_the_last_edit_takes_it_away() -> None:
    edits = Edits()
    board = StatusBoard(edits.edit, admit_preview=admit_any_preview, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), JPEG)
    board.show(RUNNING, Painting(2, 4, None), WEBP)
    board.show(RUNNING, Painting(3, 4, None))  # without one: what has come before is not lost
    text, previews = await edits.number(1)
    assert "3/4" in text
    assert previews == [WEBP]
    board.show(RUNNING, Painting(4, 4, None))
    assert (await edits.number(2))[1] is None  # what is there stays
    board.show(RUNNING, Painting(4, 4, None), JPEG)
    assert (await edits.number(3))[1] == [JPEG]  # a new picture is news, even under the same words
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken[-1] == ("🚫 Cancelled", [])
    await board.close()


async def test_a_channel_that_takes_no_files_still_gets_the_words() -> None:
    edits = Edits(403)
    board = StatusBoard(edits.edit, admit_preview=admit_any_preview, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), JPEG)
    assert (await edits.number(1))[1] is None
    board.show(RUNNING, Painting(2, 4, None), JPEG)
    assert (await edits.number(2))[1] is None
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken[-1] == ("🚫 Cancelled", [])
    await board.close()


async def test_only_what_is_admitted_is_shown() -> None:
    edits = Edits()

    async def admit(_job: Job, data: bytes) -> bool:
        return data == WEBP

    board = StatusBoard(edits.edit, admit_preview=admit, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), JPEG)
    assert (await edits.number(1))[1] is None
    board.show(RUNNING, Painting(2, 4, None), WEBP)
    assert (await edits.number(2))[1] == [WEBP]
    await board.close()
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=0)  # previews are off
    board.show(RUNNING, Painting(3, 4, None), WEBP)
    assert (await edits.number(3))[1] is None
    await board.close()


def test_a_preview_is_hidden_as_the_result_will_be() -> None:
    assert preview_file(RUNNING, JPEG).filename == "preview.jpg"
    hidden = preview_file(replace(RUNNING, spoiler=True), WEBP)
    assert hidden.filename == "SPOILER_preview.webp"
