"""The bot, or one of its processes, is killed at the worst moments; the long form is ``python -m prove.kills``."""

import contextlib
import signal
import sqlite3
from pathlib import Path

import pytest

from bot.jobs.desk import DEATHS_UNTIL_GIVEN_UP
from bot.storage.database import DATABASE_NAME
from prove.kills import play
from prove.mortal_bot import MOMENTS
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess, stand_in


async def test_a_kill_at_every_moment_of_a_jobs_life_loses_nothing(tmp_path: Path) -> None:
    outcome = await play(tmp_path, moments=list(MOMENTS), random_kills=0, jobs=len(MOMENTS), seed=1)
    assert outcome.is_kept, outcome


async def test_kills_at_random_lose_nothing(tmp_path: Path) -> None:
    outcome = await play(tmp_path, moments=(), random_kills=3, jobs=9, seed=2)
    assert outcome.is_kept, outcome


@pytest.mark.parametrize("moment", ["written", "told"])
async def test_a_request_in_a_message_is_answered_once_whether_or_not_the_bot_had_answered(
    tmp_path: Path, moment: str
) -> None:
    async with stand_in() as server:
        client = server.client
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.launch("--die-at", moment)
        assert await bot.becomes_ready()
        asked = await client.say("@Palimpsest a fox", files=[CAT])
        assert await bot.ended() == -signal.SIGKILL
        await bot.kill()
        await bot.start()
        status = await bot.answer_to(asked)
        await bot.status_with(status, "✅ Done")
        answers = [message for message in await client.messages() if message.author_is_bot]
        assert [bool(message.attachments) for message in answers] == [False, True]
        await bot.kill()


async def test_a_command_that_was_answered_in_the_channel_is_not_answered_again(tmp_path: Path) -> None:
    async with stand_in() as server:
        client = server.client
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.launch("--die-at", "told")
        assert await bot.becomes_ready()
        assert (await bot.run_unacknowledged("a late fox")).failed
        await client.clear_faults()
        assert await bot.ended() == -signal.SIGKILL
        await bot.kill()
        await bot.start()
        status = await client.wait_for_message(lambda message: message.author_is_bot)
        await bot.status_with(status, "✅ Done")
        answers = [message for message in await client.messages() if message.author_is_bot]
        assert [bool(message.attachments) for message in answers] == [False, True]
        await bot.kill()


async def test_a_job_that_takes_the_bot_along_is_given_up_and_the_next_one_is_served(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        await bot.kill()
        await bot.launch("--die-at", "running")
        assert await bot.becomes_ready()
        status = await bot.img2img(steps=4)
        await bot.ended()
        await bot.kill()
        # The last two deaths are real, those before them are only recorded.
        with contextlib.closing(sqlite3.connect(bot.data_dir / DATABASE_NAME)) as connection, connection:
            connection.execute("UPDATE jobs SET unclean_deaths = ?", [DEATHS_UNTIL_GIVEN_UP - 2])
        await bot.launch("--die-at", "running")
        await bot.ended()
        await bot.kill()
        await bot.start()
        told = await bot.status_with(status, "I crashed 6 times")
        assert "Reference" in told.content
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments
        await bot.kill()


async def test_a_stop_that_takes_too_long_is_no_death_of_the_bot(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, {"SHUTDOWN_GRACE_SECONDS": "600"}, arguments=QUICK)
        await bot.start()
        with bot.held():
            statuses = [await bot.img2img(steps=4)]
            await bot.status_with(statuses[0], "Painting")  # otherwise the second might run first if both came at once
            statuses.append(await bot.img2img(steps=4))
            bot.ask_to_stop()
            was_told = "SELECT value FROM facts WHERE name = 'told_to_stop'"
            await bot.until(lambda: bot.rows(was_told) == [("yes",)])
            await bot.kill()
        await bot.start()
        for status in statuses:
            assert (await bot.result_of(status)).attachments
        assert bot.rows("SELECT unclean_deaths FROM jobs") == [(0,), (0,)]
        await bot.kill()


async def test_a_start_that_discord_refuses_does_not_hide_the_death_before_it(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        with bot.held():
            status = await bot.img2img(steps=4)
            await bot.status_with(status, "Painting")
            await bot.kill()
        refused = BotProcess(server, tmp_path, {"DISCORD_TOKEN": "a.wrong.token"}, arguments=QUICK)
        await refused.launch()
        assert await refused.ended() == 2
        await bot.start()
        assert (await bot.result_of(status)).attachments
        assert bot.rows("SELECT unclean_deaths FROM jobs") == [(1,)]
        await bot.kill()


async def test_the_executor_is_killed_in_the_middle(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(seed=5, steps=4)
        await bot.status_with(status, "Painting")
        bot.child("generation.executors.worker").kill()
    result = await bot.result_of(status)
    assert "`5`" in result.content
    await bot.status_with(status, "✅ Done")
    assert len(await bot.results(status)) == 1


async def test_what_failed_is_tried_again_by_a_button_or_a_reply(bot: BotProcess) -> None:
    started = "SELECT started_at FROM jobs WHERE status_message_id = ?"
    with bot.held():
        status = await bot.img2img(seed=5, steps=4)
        await bot.status_with(status, "Painting")
        for _attempt in range(2):
            begun = bot.rows(started, int(status.id))
            bot.child("generation.executors.worker").kill()
            await bot.until(
                lambda begun=begun: bot.rows(started, int(status.id)) != begun or bot.job(status)[0] == "failed"
            )
        await bot.status_with(status, "was killed twice")
    again = (await bot.client.press(status.id, "Again")).response
    assert again is not None
    assert "a cat on a beach" in (await bot.result_of(again)).content
    for words, painted in (("seed 6", "a cat on a beach"), ("a fox in the snow, seed 6", "a fox in the snow")):
        answer = await bot.answer_to(await bot.client.say(f"@Palimpsest {words}", reply_to=status.id))
        result = await bot.result_of(answer)
        assert painted in result.content
        assert "seed `6`" in result.content


async def test_the_decoder_is_killed(bot: BotProcess) -> None:
    bot.child("generation.images.worker").kill()
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_a_restart_in_the_middle_loses_nothing(quick_bot: BotProcess, how: str) -> None:
    bot = quick_bot
    delivered = await bot.result_of(await bot.img2img(seed=1, steps=4))
    with bot.held():
        running = await bot.img2img(seed=2, steps=4)
        await bot.status_with(running, "Painting")
        waiting = await bot.img2img(seed=3, steps=4, member="Linus")
        await bot.status_with(waiting, "Queued")
        if how == "terminate":
            assert await bot.terminate() == 0
        else:
            await bot.kill()
    await bot.start()
    assert len(await bot.client.calls("PUT", r"^/applications/\d+/commands$")) == 1  # unchanged since then
    assert "`2`" in (await bot.result_of(running)).content
    assert "`3`" in (await bot.result_of(waiting)).content
    for status in (running, waiting):
        await bot.status_with(status, "✅ Done")
        assert len(await bot.results(status)) == 1
    pressed = await bot.client.press(delivered.id, "Again")  # a button from before the restart
    assert pressed.response is not None
    again = await bot.result_of(pressed.response)
    assert again.attachments
    await bot.client.press(delivered.id, "Delete")
    await bot.client.wait_for_edit(delivered.id, lambda message: message.deleted)


async def test_a_result_that_was_sent_but_not_written_down_is_not_sent_again(quick_bot: BotProcess) -> None:
    bot = quick_bot
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", action="drop_after", times=None)
    await bot.client.add_fault(r"/channels/\d+/messages$", method="GET", action="hang", times=None)
    status = await bot.img2img(steps=4)
    result = await bot.shown_result_of(status)
    await bot.kill()
    await bot.client.clear_faults()
    await bot.client.advance_clock(60 * 60)  # the nonce has expired
    await bot.start()
    done = await bot.status_with(status, "✅ Done")
    assert result.id in done.content
    assert [message.id for message in await bot.results(status)] == [result.id]
