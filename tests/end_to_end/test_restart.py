"""What a restart leaves as it was, what is said meanwhile, and what later starts have forgotten on purpose."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from playground.client import Interaction, Message, PlaygroundServer
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess


def told(interaction: Interaction) -> str:
    """Return what only the member was told."""
    assert interaction.ephemeral, interaction
    assert interaction.response is not None
    return interaction.response.content


async def painted(bot: BotProcess, interaction: Interaction) -> Message:
    assert interaction.response is not None, interaction
    return await bot.result_of(interaction.response)


def state_of(bot: BotProcess, status: Message) -> str:
    connection = sqlite3.connect(f"file:{bot.data_dir}/palimpsest.sqlite3?mode=ro", uri=True)
    statement = "SELECT state FROM jobs WHERE status_message_id = ?"
    with contextlib.closing(connection):
        return connection.execute(statement, (int(status.id),)).fetchone()[0]


async def test_a_stop_a_start_and_a_later_one(tmp_path: Path) -> None:
    """One story, because a start of the bot is what costs time here."""
    async with PlaygroundServer(bot_name="Palimpsest") as server:
        client = server.client
        async with BotProcess(server, tmp_path, {"MAX_WAITING": "2"}) as bot:
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
        await client.wait_until_bot_gone()
        await client.delete_message(waiting.id, member="Grace")  # while nobody is there to hear of it

        async with BotProcess(server, tmp_path, arguments=QUICK) as bot:
            await forms_and_buttons_from_before(bot, form, first, second)
            assert state_of(bot, waiting) == "cancelled"
            assert await bot.results(waiting) == []
            assert await bot.terminate() == 0
        await client.wait_until_bot_gone()

        async with BotProcess(server, tmp_path, {"JOB_RETENTION_DAYS": "0"}, arguments=QUICK) as bot:
            for button in ("Again", "Edit", "Use as input", "Delete"):
                assert "Nothing is known any more" in told(await client.press(second.id, button))


async def everybody_is_told_that_the_queue_is_full(bot: BotProcess) -> None:
    wish = {"image": CAT, "prompt": "a fox"}
    full = await bot.client.command("img2img", wish, member="Grace")
    assert "2 pictures are waiting already" in told(full)


async def everybody_is_told_that_it_closes(bot: BotProcess) -> None:
    client = bot.client
    await bot.queue_says("I am just being restarted")
    assert "I am just being restarted" in told(await client.command("help", {}))
    wish = {"image": CAT, "prompt": "a fox"}
    assert "I am just being restarted" in told(await client.command("img2img", wish, member="Grace"))
    asked = await client.say("@Palimpsest a fox", files=[CAT], member="Grace")
    answer = await client.wait_for_message(
        lambda message: message.reference is not None and message.reference.message_id == asked.id
    )
    assert "I am just being restarted" in answer.content


async def forms_and_buttons_from_before(bot: BotProcess, form: Interaction, first: Message, second: Message) -> None:
    client = bot.client
    sent = await client.submit_modal(form, {"prompt": "a dog that took long to write"})
    assert "before my last start" in told(sent)
    assert "a dog that took long to write" in told(sent)
    edited = await client.submit_modal(await client.press(first.id, "Edit"), {"prompt": "a dog", "more": "steps 4"})
    assert "`1`" in (await painted(bot, edited)).content
    form = await client.press(second.id, "Use as input")
    used = await client.submit_modal(form, {"prompt": "a castle", "picture": ["2"], "more": "steps 4"})
    assert (await painted(bot, used)).attachments
    assert (await painted(bot, await client.press(first.id, "Again"))).attachments
    await client.press(first.id, "Delete")
    await client.wait_for_edit(first.id, lambda message: message.deleted)
