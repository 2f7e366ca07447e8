"""The status message: rate-limited edits, previews of the running job, and a final state that always gets through."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord
import pytest

from bot.discord_api.trouble import STOPPED_BY_AUTOMOD
from bot.display.cards import Painting, Waiting
from bot.display.pace import ChannelPaces
from bot.display.status import StatusBoard
from bot.monitoring.invalid_requests import Restraint
from bot.replies import refusal_sentence
from bot.storage.job import Job, JobState
from tests.bot.jobs_made import admit_any_preview, make_job

RUNNING = make_job(state=JobState.RUNNING)
FIRST, SECOND = b"first preview", b"second preview"


class Edits:
    """Receives a board's edits, and fails those that it is told to fail."""

    def __init__(self, *refusals: int) -> None:
        self.taken: list[tuple[str, list[bytes] | None]] = []
        self._refusals = list(refusals)
        self._came = asyncio.Condition()
        self.troubles: list[int | Exception] = []

    async def edit(self, _job: Job, text: str, previews: Any) -> None:
        if self.troubles:
            trouble = self.troubles.pop()
            raise trouble if isinstance(trouble, Exception) else refusal(trouble)
        if previews and self._refusals:
            raise refusal(self._refusals.pop(0))
        async with self._came:
            self.taken.append((text.splitlines()[0], None if previews is None else list(previews)))
            self._came.notify_all()

    async def number(self, count: int) -> tuple[str, list[bytes] | None]:
        async with self._came:
            await self._came.wait_for(lambda: len(self.taken) >= count)
        return self.taken[count - 1]


def message_id(minutes_old: int = 0) -> int:
    return discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(minutes=minutes_old))


class _Response:
    def __init__(self, status: int) -> None:
        self.status, self.reason = status, "refused"


def refusal(status: int) -> discord.HTTPException:
    kinds = {403: discord.Forbidden, 502: discord.DiscordServerError}
    kind = kinds.get(status, discord.HTTPException)
    return kind(_Response(status), "refused")  # type: ignore[arg-type]


async def test_the_newest_preview_goes_with_the_next_edit_and_the_last_edit_takes_it_away() -> None:
    edits = Edits()
    board = StatusBoard(edits.edit, admit_preview=admit_any_preview, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), FIRST)
    board.show(RUNNING, Painting(2, 4, None), SECOND)
    board.show(RUNNING, Painting(3, 4, None))  # no preview: the previous one is not lost
    text, previews = await edits.number(1)
    assert "3/4" in text
    assert previews == [SECOND]
    board.show(RUNNING, Painting(4, 4, None))
    assert (await edits.number(2))[1] is None  # the existing attachment stays
    board.show(RUNNING, Painting(4, 4, None), FIRST)
    assert (await edits.number(3))[1] == [FIRST]  # a new preview is worth an edit, even with the same text
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken[-1] == ("🚫 Cancelled", [])
    await board.close()


async def test_a_channel_that_takes_no_files_still_gets_the_words() -> None:
    edits = Edits(403)
    board = StatusBoard(edits.edit, admit_preview=admit_any_preview, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), FIRST)
    assert (await edits.number(1))[1] is None
    board.show(RUNNING, Painting(2, 4, None), FIRST)
    assert (await edits.number(2))[1] is None
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken[-1] == ("🚫 Cancelled", [])
    await board.close()


async def test_only_what_is_admitted_is_shown() -> None:
    edits = Edits()

    async def admit(_job: Job, data: bytes) -> bool:
        return data == SECOND

    board = StatusBoard(edits.edit, admit_preview=admit, deleted=print, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None), FIRST)
    assert (await edits.number(1))[1] is None
    board.show(RUNNING, Painting(2, 4, None), SECOND)
    assert (await edits.number(2))[1] == [SECOND]
    await board.close()
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=0)  # previews are off
    board.show(RUNNING, Painting(3, 4, None), SECOND)
    assert (await edits.number(3))[1] is None
    await board.close()


async def test_when_discord_refuses_much_only_the_last_word_is_said() -> None:
    edits, held = Edits(), asyncio.Event()

    def restraint() -> Restraint:
        held.set()
        return Restraint.SILENT

    board = StatusBoard(edits.edit, deleted=print, restraint=restraint, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None))
    await held.wait()
    board.show(RUNNING, Painting(2, 4, None))
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken == [("🚫 Cancelled", [])]


async def test_what_was_held_back_is_said_when_it_is_better() -> None:
    edits, held = Edits(), asyncio.Event()
    restraints = iter([Restraint.SILENT] * 3)

    def restraint() -> Restraint:
        held.set()
        return next(restraints, Restraint.NONE)

    board = StatusBoard(edits.edit, deleted=print, restraint=restraint, interval_seconds=0)
    board.show(RUNNING, Painting(1, 4, None))
    await held.wait()
    board.show(RUNNING, Painting(2, 4, None))
    assert "2/4" in (await edits.number(1))[0]
    await board.close()


async def test_previews_are_the_first_to_be_left_out() -> None:
    edits = Edits()
    board = StatusBoard(
        edits.edit,
        admit_preview=admit_any_preview,
        deleted=print,
        restraint=lambda: Restraint.SPARING,
        interval_seconds=0,
    )
    board.show(RUNNING, Painting(1, 4, None), FIRST)
    assert (await edits.number(1))[1] is None
    await board.close()


async def test_who_is_far_back_hears_less_often_and_at_once_when_the_turn_comes() -> None:
    """With an interval of an hour nothing is sent twice during the test, but what is due is sent at once."""
    edits, waiting = Edits(), replace(RUNNING, state=JobState.QUEUED, status_message_id=message_id())
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=3600)
    board.show(waiting, Waiting(60, None))
    assert "60 ahead" in (await edits.number(1))[0]
    board.show(waiting, Waiting(59, None))
    line = board._messages[waiting.job_id]
    assert line._pause_seconds(3600) == 11 * 3600  # of twelve intervals one has passed
    board.show(waiting, Waiting(4, None))
    assert line._pause_seconds(3600) == 0
    board.show(RUNNING, Painting(1, 4, None))
    await board.settle(replace(waiting, state=JobState.CANCELLED))
    assert edits.taken[-1] == ("🚫 Cancelled", [])


@pytest.mark.parametrize(("minutes", "times"), [(50, 1), (70, 20)])
async def test_a_message_that_is_old_is_seldom_edited(minutes: int, times: int) -> None:
    edits, old = Edits(), replace(RUNNING, status_message_id=message_id(minutes))
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=3600)
    board.show(old, Painting(1, 4, None))
    await edits.number(1)
    board.show(old, Painting(2, 4, None))
    assert board._messages[old.job_id]._pause_seconds(0) == times * 3600
    await board.settle(replace(old, state=JobState.CANCELLED))  # the final state does not wait
    assert [text for text, _ in edits.taken[1:]] == ["🚫 Cancelled"]


async def test_when_much_changes_at_once_the_last_words_go_first() -> None:
    edits = Edits()
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=0, max_per_second=1 / 3600)
    first, second, third = (make_job(state=JobState.RUNNING) for _ in range(3))
    board.show(first, Painting(1, 4, None))
    await edits.number(1)
    board.show(second, Painting(2, 4, None))
    board.show(third, Painting(3, 4, None))
    await board.settle(replace(third, state=JobState.CANCELLED))
    assert [text for text, _ in edits.taken[1:]] == ["🚫 Cancelled"]  # and nothing of the second job within the hour
    await board.close()
    assert "2/4" in edits.taken[-1][0]


@pytest.mark.parametrize("trouble", [502, 429, ConnectionResetError()])
async def test_the_last_word_is_tried_again_when_discord_is_out_of_reach(trouble: int | Exception) -> None:
    edits = Edits()
    edits.troubles = [trouble] * 3
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=0, retry_seconds=0)
    await board.settle(replace(RUNNING, state=JobState.CANCELLED))
    assert edits.taken == [("🚫 Cancelled", [])]


async def test_where_the_bot_is_not_let_in_the_last_word_is_tried_once_more() -> None:
    edits, asked, forbidden = Edits(), asyncio.Event(), refusal(403)

    async def edit(*arguments: Any) -> None:
        asked.set()
        await edits.edit(*arguments)

    async def closed(job: Job) -> StatusBoard:
        edits.troubles = [forbidden]
        board = StatusBoard(edit, deleted=print, interval_seconds=0)
        board.show(job, Painting(1, 4, None))
        await asked.wait()
        board.show(job, Painting(2, 4, None))  # left out: refused requests count towards a ban
        return board

    board = await closed(RUNNING)
    assert await board.settle(replace(RUNNING, state=JobState.CANCELLED))  # it has been let in again by now
    assert edits.taken == [("🚫 Cancelled", [])]
    board = await closed(RUNNING)
    edits.troubles = [forbidden, forbidden]  # for the attempt with attachments, and the one without
    assert not await board.settle(replace(RUNNING, state=JobState.CANCELLED))  # shown after the next start
    assert len(edits.taken) == 1


async def test_what_automod_does_not_let_the_bot_repeat_is_left_out() -> None:
    texts: list[str] = []

    async def edit(job: Job, text: str, *_: Any) -> None:
        if job.prompt in text:
            raise discord.HTTPException(_Response(400), {"code": STOPPED_BY_AUTOMOD, "message": "blocked"})  # type: ignore[arg-type]
        texts.append(text)

    board = StatusBoard(edit, deleted=print, interval_seconds=0)
    failed = replace(RUNNING, state=JobState.FAILED, failure_kind="result_lost")
    assert await board.settle(failed)
    (text,) = texts
    assert text.startswith(f"⚠️ {refusal_sentence('result_lost', {})}")


async def test_a_last_word_that_comes_while_another_is_being_said_is_said_too() -> None:
    texts: list[str] = []
    begun, heard = asyncio.Event(), asyncio.Event()

    async def edit(_job: Job, text: str, *_: Any) -> None:
        begun.set()
        await heard.wait()
        texts.append(text)

    board = StatusBoard(edit, deleted=print)
    done = replace(RUNNING, state=JobState.DELIVERED, result_message_id=9)
    last_words = [asyncio.create_task(board.settle(done))]
    await begun.wait()
    last_words.append(asyncio.create_task(board.settle(replace(done, result_message_id=None))))
    heard.set()
    assert await asyncio.gather(*last_words) == [True, True]
    assert "Done" in texts[0]
    assert texts[1:] == ["🗑️ The picture was deleted"]


async def test_a_bot_that_ends_does_not_wait_for_discord() -> None:
    edits = Edits()
    edits.troubles = [502] * 20
    board = StatusBoard(edits.edit, deleted=print, retry_seconds=60)
    board.show(RUNNING, Painting(1, 4, None))
    await board.close()
    assert edits.taken == []
    assert len(edits.troubles) == 19


async def test_a_last_word_does_not_wait_for_what_others_in_its_channel_say() -> None:
    """With an interval of an hour a channel gets no further edits during the test, except for final states."""
    edits = Edits()
    board = StatusBoard(edits.edit, deleted=print, interval_seconds=3600)
    first, second, elsewhere = (
        make_job(state=JobState.RUNNING, channel_id=channel_id, status_message_id=message_id())
        for channel_id in (3, 3, 4)
    )
    far = make_job(state=JobState.QUEUED, channel_id=3, status_message_id=message_id())
    board.show(first, Painting(1, 4, None))
    await edits.number(1)
    board.show(second, Painting(2, 4, None))
    board.show(far, Waiting(5, None))  # jobs far back have a rate limit of their own
    board.show(elsewhere, Painting(3, 4, None))
    await edits.number(3)
    await board.settle(replace(second, state=JobState.CANCELLED))
    said = [text for text, _ in edits.taken]
    assert not any("2/4" in text for text in said)
    assert said[-1] == "🚫 Cancelled"
    assert sorted("3/4" in text for text in said[1:3]) == [False, True]
    await board.close()


def test_in_a_channel_the_near_ones_take_turns_and_so_do_the_far_ones() -> None:
    paces, job = ChannelPaces(4.0), make_job(channel_id=3)
    painting, next_one, far = Painting(1, 4, None), Waiting(0, None), Waiting(5, None)
    paces.take(job, painting, 10.0)
    assert paces.seconds_until_free(job, next_one, 11.0) == 2.0
    assert paces.seconds_until_free(job, far, 11.0) == 0.0
    paces.take(job, far, 11.0)
    assert paces.seconds_until_free(job, far, 12.0) == 7.0
    assert paces.seconds_until_free(make_job(channel_id=4), painting, 11.0) == 0.0
    assert paces.seconds_until_free(job, painting, 20.0) == 0.0
