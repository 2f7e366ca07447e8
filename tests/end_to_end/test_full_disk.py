"""A disk that takes nothing more, under the whole bot: it says so, keeps what it has promised, and heals by itself."""

import resource
from pathlib import Path

import psutil
import pytest

from playground.client import PlaygroundServer
from tests.end_to_end.bot_process import CAT, BotProcess
from tests.end_to_end.test_monitoring import ask

pytestmark = pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="only Linux lets one limit another process")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def limit_files(bot: BotProcess, limit_bytes: int) -> None:
    """Let no file of the bot grow beyond a size: every write past it fails, as on a disk that is full."""
    bot.process.rlimit(psutil.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))


async def test_a_full_disk_is_said_and_what_was_promised_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, tmp_path, arguments=("prove.mortal_bot", "--quick"))
        await bot.start()
        client = server.client
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(steps=4, member="Linus")
            await bot.status_with(waiting, "Queued")

            limit_files(bot, 1)
            refused = await client.command("img2img", {"image": CAT, "prompt": "a fox"}, member="Grace")
            assert refused.ephemeral
            assert refused.response is not None
            assert "I cannot store pictures just now. Please try again later" in refused.response.content
            asked = await client.say("@Palimpsest a fox", files=[CAT], member="Grace")
            answer = await client.wait_for_message(
                lambda message: message.reference is not None and message.reference.message_id == asked.id
            )
            assert "I cannot store pictures just now" in answer.content
            assert (await ask(bot, "/healthz"))[0] == 503

        bot.process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)
        for status in (running, waiting):
            await bot.status_with(status, "✅ Done")
            assert len(await bot.results(status)) == 1
        assert (await ask(bot, "/healthz"))[0] == 200
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments
        assert await bot.terminate() == 0


async def test_a_start_without_a_usable_folder_says_which(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        bot = BotProcess(server, tmp_path, {"DATA_DIR": str(tmp_path / "file" / "data")})
        await bot.launch()
        assert await bot.ended() == 1
        assert f"{tmp_path / 'file' / 'data'}, cannot be used" in bot.log
