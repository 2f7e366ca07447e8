"""Whoever waited is gone, or the bot was sent away: the job is settled, its row says why, and the others are served."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from playground.client import Message, PlaygroundServer
from tests.end_to_end.bot_process import BotProcess


def end_of(bot: BotProcess, status: Message) -> tuple[str, str | None]:
    """Return the state of a status message's job, and why nobody is left to answer."""
    connection = sqlite3.connect(f"file:{bot.data_dir}/palimpsest.sqlite3?mode=ro", uri=True)
    statement = "SELECT state, failure_data FROM jobs WHERE status_message_id = ?"
    with contextlib.closing(connection):
        state, data = connection.execute(statement, (int(status.id),)).fetchone()
    return state, json.loads(data).get("reason")


async def test_a_member_who_has_left_is_not_painted_for(tmp_path: Path) -> None:
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, tmp_path, arguments=("prove.mortal_bot", "--quick"))
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
        bot = BotProcess(server, tmp_path, arguments=("prove.mortal_bot", "--quick"))
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
