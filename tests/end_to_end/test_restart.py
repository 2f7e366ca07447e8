"""What a restart preserves, what is said in the meantime, and what later starts forget on purpose."""

import asyncio
from pathlib import Path

from playground.client import Interaction, Message
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess, stand_in, told


async def painted(bot: BotProcess, interaction: Interaction) -> Message:
    assert interaction.response is not None, interaction
    return await bot.result_of(interaction.response)


async def test_a_stop_a_start_and_a_later_one(tmp_path: Path) -> None:
    """One story, because starting the bot is what takes the time here."""
    async with stand_in() as server:
        client = server.client
        settings = {"MAX_WAITING": "2", "SHUTDOWN_GRACE_SECONDS": "600"}
        async with BotProcess(server, tmp_path, settings) as bot:
            first = await bot.result_of(await bot.img2img(seed=1, steps=4))
            second = await bot.result_of(await bot.img2img(seed=2, steps=4, count=2))
            form = await client.press(first.id, "Edit")
            with bot.held():
                running = await bot.img2img(steps=4)
                await bot.status_with(running, "Painting")
                waiting = await bot.img2img(member="Linus", steps=4)
                await bot.status_with(waiting, "Queued")
                await everybody_is_told_that_the_queue_is_full(bot)
                ended = asyncio.ensure_future(bot.terminate())
                await everybody_is_told_that_it_closes(bot)
                assert not ended.done()
                await client.press(running.id, "Cancel")
                await bot.status_with(running, "Cancelled")
            assert await ended == 0
        await client.delete_message(waiting.id, member="Grace")  # while no bot is connected to see it

        bot = BotProcess(server, tmp_path, arguments=QUICK)
        with bot.held():
            await bot.start()
            await bot.until(lambda: bot.job(waiting)[0] == "cancelled")
        await forms_and_buttons_from_before(bot, form, first, second)
        assert await bot.results(waiting) == []
        assert await bot.terminate() == 0

        async with BotProcess(server, tmp_path, {"JOB_RETENTION_DAYS": "0"}, arguments=QUICK) as bot:
            await bot.until(lambda: bot.rows("SELECT job_id FROM jobs") == [])
            for button in ("Again", "Edit", "Use as input", "Strengths"):
                assert "I no longer have this request" in told(await client.press(second.id, button))
            await client.press(second.id, "Delete")
            await client.wait_for_edit(second.id, lambda message: message.deleted)


async def everybody_is_told_that_the_queue_is_full(bot: BotProcess) -> None:
    options = {"image": CAT, "prompt": "a fox"}
    full = await bot.client.command("img2img", options, member="Grace")
    assert "with 2 requests in it already" in told(full)


async def everybody_is_told_that_it_closes(bot: BotProcess) -> None:
    client = bot.client
    await bot.queue_says("I'm restarting right now")
    assert "I'm restarting right now" in told(await client.command("help", {}))
    options = {"image": CAT, "prompt": "a fox"}
    assert "I'm restarting right now" in told(await client.command("img2img", options, member="Grace"))
    asked = await client.say("@Palimpsest a fox", files=[CAT], member="Grace")
    answer = await bot.answer_to(asked)
    assert "I'm restarting right now" in answer.content


async def forms_and_buttons_from_before(bot: BotProcess, form: Interaction, first: Message, second: Message) -> None:
    client = bot.client
    sent = await client.submit_modal(form, {"prompt": "a dog that took long to write"})
    assert "I've restarted" in told(sent)
    assert "a dog that took long to write" in told(sent)
    edited = await client.submit_modal(await client.press(first.id, "Edit"), {"prompt": "a dog", "more": "steps 4"})
    assert "`1`" in (await painted(bot, edited)).content
    form = await client.press(second.id, "Use as input")
    used = await client.submit_modal(form, {"prompt": "a castle", "picture": ["2"], "more": "steps 4"})
    assert (await painted(bot, used)).attachments
    assert (await painted(bot, await client.press(first.id, "Again"))).attachments
    await client.press(first.id, "Delete")
    await client.wait_for_edit(first.id, lambda message: message.deleted)
