"""Whoever waited is gone, or the bot was sent away: the job is settled, its row says why, and the others are served."""

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from playground.client import Message, PlaygroundServer
from tests.end_to_end.bot_process import QUICK, RESULT_SECONDS, BotProcess
from tests.end_to_end.later_bot import SWEPT


def end_of(bot: BotProcess, status: Message) -> tuple[str, str | None]:
    """Return the state of a status message's job, and why nobody is left to answer."""
    connection = sqlite3.connect(f"file:{bot.data_dir}/palimpsest.sqlite3?mode=ro", uri=True)
    statement = "SELECT state, failure_data FROM jobs WHERE status_message_id = ?"
    with contextlib.closing(connection):
        state, data = connection.execute(statement, (int(status.id),)).fetchone()
    return state, json.loads(data).get("reason")


async def test_a_member_who_has_left_is_not_painted_for(tmp_path: Path) -> None:
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(member="Linus", steps=4)
            await bot.status_with(waiting, "Queued")
            await server.client.leave("Linus")
        await bot.status_with(waiting, "nobody was left to answer")
        assert end_of(bot, waiting) == ("expired", "requester_left")
        assert (await bot.result_of(running)).attachments
        assert await bot.results(waiting) == []
        await bot.kill()


@pytest.mark.parametrize("is_away", [False, True], ids=["while the bot looks on", "while the bot is away"])
async def test_a_server_that_sends_the_bot_away_settles_its_jobs(tmp_path: Path, is_away: bool) -> None:
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(steps=4, member="Linus")
            await bot.status_with(waiting, "Queued")
            if is_away:
                await bot.kill()
                await server.client.wait_until_bot_gone()
            await server.client.leave("bot")
            if is_away:
                await bot.start()
            await bot.queue_says("Nobody waits", channel="@Ada")
        elsewhere = await bot.img2img(channel="dm", steps=4)
        assert (await bot.result_of(elsewhere)).attachments
        assert end_of(bot, running) == end_of(bot, waiting) == ("expired", "server_left")
        await bot.kill()


async def sweeps(bot: BotProcess) -> None:
    """Wait until the janitor of a connected bot has begun and ended several sweeps from now on."""

    async def says(text: str, times: int) -> None:
        while bot.log.count(text) < times:
            await bot.client.state()

    async with asyncio.timeout(RESULT_SECONDS):
        await says("connected as", 1)
        await says(SWEPT, bot.log.count(SWEPT) + 4)


async def test_a_server_that_has_sent_the_bot_away_is_forgotten_after_30_days(tmp_path: Path) -> None:
    keeps_long = {"JOB_RETENTION_DAYS": "1000", "INPUT_RETENTION_HOURS": "10000"}

    def kept() -> bytes:
        files = (*tmp_path.glob("palimpsest.sqlite3*"), *tmp_path.rglob("spool/**/*"))
        return b"".join(path.read_bytes() for path in files if path.is_file())

    async with PlaygroundServer(bot_name="Palimpsest") as server:
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
            await bot.queue_says("Nobody waits", channel="@Ada")
            await sweeps(bot)
            assert await bot.terminate() == 0
        await client.wait_until_bot_gone()
        async with bot_after(29) as bot:
            await sweeps(bot)
            assert await bot.terminate() == 0
        for word in (b"quincunx", b"xylophone", b"theremin"):
            assert word in kept()
        await client.wait_until_bot_gone()
        async with bot_after(31) as bot:
            await sweeps(bot)
            assert "deleted 4 row(s) of servers and channels" in bot.log
            assert await bot.terminate() == 0
    for word in (b"quincunx", b"xylophone"):
        assert word not in kept()
    assert b"theremin" in kept()  # direct messages are no server's
    assert len(list((tmp_path / "spool").iterdir())) == 1
