"""A generation process that fails again and again: it is left alone for a while, and everybody is told."""

from pathlib import Path

from tests.end_to_end.bot_process import BotProcess, stand_in
from tests.end_to_end.test_monitoring import ask

RESTING = ("tests.end_to_end.resting_bot",)


async def test_everybody_is_told_that_the_painter_rests(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=RESTING)
        await bot.start()
        poison = await bot.img2img(prompt="die", steps=4)
        assert "stopped twice" in (await bot.status_with(poison, "⚠️")).content
        assert "resting" not in (await ask(bot, "/readyz"))[1]
        again = await bot.img2img(prompt="die", steps=4)
        assert "Next try <t:" in (await bot.status_with(again, "Resting")).content
        waiting = await bot.img2img(prompt="a cat", steps=4, member="Linus")
        await bot.status_with(waiting, "Resting")
        status, text = await ask(bot, "/readyz")
        assert status == 503
        assert "resting after failures" in text
        queue = await bot.client.command("queue", {}, member="Linus")
        assert queue.response is not None
        assert "Resting" in queue.response.content
        await bot.client.press(again.id, "Cancel")
        await bot.status_with(again, "Cancelled")
        assert await bot.terminate() == 0
        await bot.start()  # a new start is a new attempt
        assert (await bot.result_of(waiting)).attachments
        await bot.kill()


async def test_a_loss_counts_although_the_bot_dies_before_the_next_attempt(tmp_path: Path) -> None:
    """The rest makes the time between the two attempts long."""
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=RESTING)
        await bot.start()
        first = await bot.img2img(prompt="die", steps=4)
        assert "stopped twice" in (await bot.status_with(first, "⚠️")).content
        second = await bot.img2img(prompt="die", steps=4)
        await bot.status_with(second, "Resting")
        await bot.kill()
        await bot.start()
        assert "stopped twice" in (await bot.status_with(second, "⚠️")).content
        assert bot.log.count("trying again") == 2  # once per job
        assert bot.log.count("ended with status 1") == 4  # two per job
        await bot.kill()
