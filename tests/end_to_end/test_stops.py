"""The bot is told to stop under load; the long form is ``python -m prove.terminations``."""

import sys
from pathlib import Path

import pytest

from prove.terminations import play
from tests.end_to_end.bot_process import QUICK, BotProcess, stand_in


async def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    outcome = await play(tmp_path, terminations=2, jobs=10, seed=1)
    assert set(outcome.statuses) == {0}
    assert (outcome.lost, outcome.shown_twice, outcome.stuck, outcome.is_sound) == (0, 0, 0, True)


@pytest.mark.parametrize("queue", ["keep", "drain"])
async def test_the_queue_is_kept_or_drained_as_the_operator_chooses(tmp_path: Path, queue: str) -> None:
    async with stand_in() as server:
        settings = {"SHUTDOWN_QUEUE": queue, "SHUTDOWN_GRACE_SECONDS": "600"}
        bot = BotProcess(server, tmp_path, settings, arguments=QUICK)
        await bot.start()
        with bot.held():
            statuses = [await bot.img2img(steps=4)]
            await bot.status_with(statuses[0], "Painting")
            statuses += [await bot.img2img(steps=4) for _ in range(2)]
            await bot.status_with(statuses[2], "Queued")
            bot.ask_to_stop()
            await bot.queue_says("I'm restarting right now")
        assert await bot.ended() == 0
        expected = [1, 0, 0] if queue == "keep" else [1, 1, 1]
        assert [len(await bot.results(status)) for status in statuses] == expected
        await bot.start()
        for status in statuses:
            await bot.status_with(status, "✅ Done")
            assert len(await bot.results(status)) == 1
        await bot.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that could be handled")
async def test_a_stop_that_reaches_every_process_lets_the_running_picture_end(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, {"SHUTDOWN_GRACE_SECONDS": "600"}, arguments=QUICK)
        await bot.start()
        with bot.held():
            status = await bot.img2img(steps=4)
            await bot.status_with(status, "Painting")
            for process in (bot.process, *bot.process.children(recursive=True)):  # as systemd does
                process.terminate()
            await bot.queue_says("I'm restarting right now")
        assert await bot.ended() == 0
        assert len(await bot.results(status)) == 1
        assert bot.rows("SELECT attempt FROM jobs") == [(1,)]


async def test_a_stop_while_it_logs_in_is_an_orderly_end(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        fault = await server.client.add_fault(r"/users/@me$", action="hang", times=None)
        await bot.launch()
        await server.client.wait_for_fault(fault)
        assert await bot.terminate() == 0
        assert "Traceback" not in bot.log
        await server.client.clear_faults()
        await bot.start()
        await bot.kill()


async def test_a_discord_that_hangs_does_not_keep_the_bot_from_ending(tmp_path: Path) -> None:
    async with stand_in() as server:
        settings = {"SHUTDOWN_GRACE_SECONDS": "1"}
        bot = BotProcess(server, tmp_path, settings, arguments=QUICK)
        await bot.start()
        with bot.held():
            status = await bot.img2img(steps=4)
            await bot.status_with(status, "Painting")
            fault = await server.client.add_fault(r"/channels/", action="hang", times=None)
        await server.client.wait_for_fault(fault)
        assert await bot.terminate() in (0, 1)
        await server.client.clear_faults()
        await bot.start()
        await bot.status_with(status, "✅ Done")
        assert len(await bot.results(status)) == 1
        await bot.kill()


async def test_a_discord_that_refuses_the_login_is_one_line_and_worth_another_start(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await server.client.add_fault(r"/users/@me$", action="status", status=404, times=None)
        await bot.launch()
        assert await bot.ended() == 1
        assert "Discord answers with status 404" in bot.log.splitlines()[-1]
