"""A full or read-only disk under the whole bot: it says so, keeps its promises, and recovers by itself."""

import re
import resource
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.bot_process import CAT, QUICK, BotProcess, stand_in, told
from tests.end_to_end.test_monitoring import ask
from tests.mounts import OWN_MOUNTS, needs_mounts

pytestmark = pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="only Linux lets one limit another process")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def limit_files(bot: BotProcess, limit_bytes: int) -> None:
    """Limit the size of every file the bot writes: writes beyond it fail, as on a full disk."""
    bot.process.rlimit(psutil.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))


async def test_a_full_disk_is_said_and_what_was_promised_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        client = server.client
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(steps=4, member="Linus")
            await bot.status_with(waiting, "Queued")

            limit_files(bot, 1)
            refused = await client.command("img2img", {"image": CAT, "prompt": "a fox"}, member="Grace")
            assert "I can't save anything right now. Please try again later" in told(refused)
            asked = await client.say("@Palimpsest a fox", files=[CAT], member="Grace")
            answer = await bot.answer_to(asked)
            assert "I can't save anything right now" in answer.content
            assert (await ask(bot, "/healthz"))[0] == 503

        bot.process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)
        for status in (running, waiting):
            await bot.status_with(status, "✅ Done")
            assert len(await bot.results(status)) == 1
        assert (await ask(bot, "/healthz"))[0] == 200
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments

        with bot.held():
            given_up = await bot.status_with(await bot.img2img(steps=4), "Painting")
            limit_files(bot, 1)
            pressed = await client.press(given_up.id, "Cancel")
            pressed = await client.wait_for_interaction(pressed.id, lambda answer: answer.followups != [])
            assert "I've cancelled this, but I can't save that" in pressed.followups[0].content
            await bot.status_with(given_up, "🚫 Cancelled")
            bot.process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)
            await bot.until(lambda: bot.job(given_up)[0] == "cancelled")
        assert await bot.results(given_up) == []
        assert await bot.terminate() == 0


async def test_a_start_without_a_usable_folder_says_which(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, {"DATA_DIR": str(tmp_path / "file" / "data")})
        await bot.launch()
        assert await bot.ended() == 1
        assert f"{tmp_path / 'file' / 'data'}, cannot be used" in bot.log


def read_only(folder: Path) -> str:
    """Return the shell command that mounts a folder read-only over itself."""
    return f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"


@needs_mounts
async def test_a_folder_on_a_read_only_disk_is_said_and_heals(tmp_path: Path) -> None:
    """Open files remain writable: the kernel does not revoke them, but new files cannot be created."""
    folder = tmp_path / "data"
    async with stand_in() as server:
        bot = BotProcess(server, folder, arguments=QUICK, within=OWN_MOUNTS)
        await bot.start()

        def mount(command: str) -> None:
            inside = ("nsenter", "--target", str(bot.pid), "--user", "--mount", "--preserve-credentials")
            subprocess.run([*inside, "sh", "-c", command], check=True)

        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            mount(read_only(folder))
            refused = await bot.img2img(steps=4, member="Linus")
            assert "I can't save anything right now" in (await bot.status_with(refused, "⚠️")).content
        await bot.until(lambda: "nothing can be stored" in bot.log)
        assert await bot.results(running) == []
        mount(f"umount --lazy {folder}")  # another process may be using it right now
        assert (await bot.result_of(running)).attachments
        assert (await bot.result_of(await bot.img2img(steps=4, member="Linus"))).attachments
        assert await bot.terminate() == 0

        shell = ("sh", "-c", f'{read_only(folder)} && exec "$@"', "sh")
        bot = BotProcess(server, folder, arguments=QUICK, within=(*OWN_MOUNTS, *shell))
        await bot.launch()
        assert await bot.ended() == 1
        assert re.search(rf"DATA_DIR, {folder}, cannot be used .*(Read-only|readonly)", bot.log)
