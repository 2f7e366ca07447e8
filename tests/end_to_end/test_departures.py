"""Waiting members leave, or the bot is removed: their jobs are settled with the reason, and other jobs go on."""

from pathlib import Path

import pytest

from tests.end_to_end.bot_process import QUICK, BotProcess, stand_in
from tests.end_to_end.later_bot import SWEPT


async def test_a_member_who_has_left_is_not_painted_for(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(member="Linus", steps=4)
            await bot.status_with(waiting, "Queued")
            await server.client.leave("Linus")
        await bot.status_with(waiting, "there was nobody left to send it to")
        assert bot.job(waiting) == ("expired", None, {"reason": "requester_left"})
        assert (await bot.result_of(running)).attachments
        assert await bot.results(waiting) == []
        await bot.kill()


@pytest.mark.parametrize("is_away", [False, True], ids=["while the bot looks on", "while the bot is away"])
async def test_a_server_that_sends_the_bot_away_settles_its_jobs(tmp_path: Path, is_away: bool) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(steps=4, member="Linus")
            await bot.status_with(waiting, "Queued")
            if is_away:
                await bot.kill()
            await server.client.leave("bot")
            if is_away:
                await bot.start()
            await bot.queue_says("Nobody is waiting", channel="@Ada")
        elsewhere = await bot.img2img(channel="dm", steps=4)
        assert (await bot.result_of(elsewhere)).attachments
        for status in (running, waiting):
            assert bot.job(status) == ("expired", None, {"reason": "server_left"})
        await bot.kill()


async def sweeps(bot: BotProcess) -> None:
    """Wait until the janitor of a connected bot has started and finished several more sweeps."""
    await bot.until(lambda: "connected as" in bot.log)
    enough = bot.log.count(SWEPT) + 4
    await bot.until(lambda: bot.log.count(SWEPT) >= enough)


async def test_a_server_that_has_sent_the_bot_away_is_forgotten_after_30_days(tmp_path: Path) -> None:
    keeps_long = {"JOB_RETENTION_DAYS": "1000", "INPUT_RETENTION_HOURS": "10000"}

    def kept() -> bytes:
        files = (*tmp_path.glob("palimpsest.sqlite3*"), *tmp_path.rglob("spool/**/*"))
        return b"".join(path.read_bytes() for path in files if path.is_file())

    async with stand_in() as server:
        client = server.client

        def bot_after(days: int) -> BotProcess:
            (tmp_path / "bot.log").unlink(missing_ok=True)
            return BotProcess(server, tmp_path, keeps_long, arguments=("tests.end_to_end.later_bot", str(days)))

        async with bot_after(0) as bot:
            await client.command("moderation terms add", {"term": "quincunx"}, member="Grace")
            await client.command("defaults set", {"where": "server", "count": 2}, member="Grace")
            await bot.result_of(await bot.img2img(prompt="a xylophone", steps=4))
            await bot.status_with(await bot.img2img(prompt="a theremin", steps=4, channel="@Ada"), "✅ Done")
            await client.leave("bot")
            await bot.queue_says("Nobody is waiting", channel="@Ada")
            await sweeps(bot)
            assert await bot.terminate() == 0
        async with bot_after(29) as bot:
            await sweeps(bot)
            assert await bot.terminate() == 0
        for word in (b"quincunx", b"xylophone", b"theremin"):
            assert word in kept()
        async with bot_after(31) as bot:
            await sweeps(bot)
            assert "deleted 5 row(s) of servers and channels" in bot.log  # request, word, default, two audit entries
            assert await bot.terminate() == 0
    for word in (b"quincunx", b"xylophone"):
        assert word not in kept()
    assert b"theremin" in kept()  # direct messages belong to no server
    assert len(list((tmp_path / "spool").iterdir())) == 1
