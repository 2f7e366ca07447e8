"""A bot that runs several requests at once, as it does by default."""

from pathlib import Path

from tests.end_to_end.bot_process import BotProcess, stand_in


async def test_a_short_request_does_not_wait_for_a_long_one(tmp_path: Path) -> None:
    settings = {"SLOTS": "8", "STRICT": "false", "MAX_WIDTH": "4"}  # a call takes two pictures, the long job has four
    async with stand_in() as server, BotProcess(server, tmp_path, settings) as bot:
        with bot.held():
            long = await bot.img2img(steps=150, strength=1.0, count=4)
            await bot.status_with(long, "Painting")
            short = [await bot.img2img(member=member, seed=5, steps=8) for member in ("Linus", "Grace")]
            for status in short:
                await bot.status_with(status, "Painting")
            with bot.held(step=300):  # halfway through the long one, long after the short ones end
                results = [await bot.result_of(status) for status in short]
                assert await bot.results(long) == []
                files = [await bot.client.download(result.attachments[0].url) for result in results]
                assert files[0][:4] == files[1][:4] == b"\x89PNG"
                await bot.client.press(long.id, "Cancel")
                await bot.status_with(long, "Cancelled")
        again = await bot.img2img(seed=5, steps=8)
        assert "seed `5`" in (await bot.result_of(again)).content
