"""A clock that jumps while the bot runs, and is corrected again."""

import os
from pathlib import Path

import pytest

from tests.end_to_end.bot_process import BotProcess, stand_in
from tests.end_to_end.jumping_bot import CLOCK

DAY_SECONDS = 86_400


@pytest.mark.parametrize("jump_days", [40, -40])
async def test_a_clock_that_jumps_loses_nothing(tmp_path: Path, jump_days: int) -> None:
    """Jobs that run, wait or arrive in the meantime are delivered, before and after a restart."""

    def set_clock(ahead_seconds: float) -> None:
        (tmp_path / "next").write_text(str(ahead_seconds))
        os.replace(tmp_path / "next", tmp_path / CLOCK)

    set_clock(0)
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path, arguments=("tests.end_to_end.jumping_bot",)) as bot,
    ):
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(member="Linus", steps=4)
            await bot.status_with(waiting, "Queued")
            set_clock(jump_days * DAY_SECONDS)
            meanwhile = await bot.img2img(member="Grace", steps=4)
            await bot.status_with(meanwhile, "Queued")
        for status in (running, waiting, meanwhile):
            assert (await bot.result_of(status)).attachments
        with bot.held():
            interrupted = await bot.img2img(steps=4)
            await bot.status_with(interrupted, "Painting")
            await bot.kill()
            set_clock(0)
        await bot.start()
        assert (await bot.result_of(interrupted)).attachments
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments
        assert await bot.terminate() == 0
        assert "Traceback" not in bot.log
