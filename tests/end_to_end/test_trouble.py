"""Everything that goes wrong around a job: the job is done all the same, once."""

import contextlib
import io
import sqlite3

import pytest
from PIL import Image

from generation.images.metadata import read_parameters
from playground.client import Message
from tests.end_to_end.bot_process import LONG_JOB, BotProcess


def state_of(bot: BotProcess, status: Message) -> tuple[str, str | None]:
    """Return how the row of a status message stands."""
    connection = sqlite3.connect(f"file:{bot.data_dir}/palimpsest.sqlite3?mode=ro", uri=True)
    statement = "SELECT state, failure_kind FROM jobs WHERE status_message_id = ?"
    with contextlib.closing(connection):
        return connection.execute(statement, (int(status.id),)).fetchone()


async def test_the_gateway_drops_in_the_middle_of_a_job(bot: BotProcess) -> None:
    status = await bot.img2img(**LONG_JOB)
    await bot.status_with(status, "Painting")
    for action in ("drop", "reconnect", "invalid_session"):
        await bot.client.gateway(action)
    assert (await bot.result_of(status)).attachments
    await bot.client.wait_until_bot_ready()
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments


async def test_discord_is_busy_when_the_result_is_sent(bot: BotProcess) -> None:
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", status=429, times=2)
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", status=502, times=2)
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", action="drop_after", times=1)
    status = await bot.img2img(steps=4)
    result = await bot.result_of(status)
    await bot.status_with(status, "✅ Done")
    assert [message.id for message in await bot.results(status)] == [result.id]


async def test_a_result_that_discord_finds_too_large_is_encoded_smaller(bot: BotProcess) -> None:
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", status=413, times=1)
    result = await bot.result_of(await bot.img2img(steps=4))
    data = await bot.client.download(result.attachments[0].url)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format in ("WEBP", "JPEG")
    parameters = read_parameters(data)
    assert parameters is not None
    assert f"`{parameters['seed']}`" in result.content
    assert "because the PNG is larger" in result.content


async def test_the_executor_is_killed_in_the_middle(bot: BotProcess) -> None:
    status = await bot.img2img(seed=5, **LONG_JOB)
    await bot.status_with(status, "/300")
    bot.child("generation.executors.worker").kill()
    result = await bot.result_of(status)
    assert "`5`" in result.content
    await bot.status_with(status, "✅ Done")
    assert len(await bot.results(status)) == 1


async def test_the_decoder_is_killed(bot: BotProcess) -> None:
    bot.child("generation.images.worker").kill()
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments


async def test_a_result_arrives_when_the_interaction_has_long_expired(bot: BotProcess) -> None:
    status = await bot.img2img(**LONG_JOB)
    await bot.status_with(status, "Painting")
    await bot.client.advance_clock(40 * 60)
    result = await bot.result_of(status)
    assert result.mentions == ["Ada"]
    assert result.id in (await bot.status_with(status, "✅ Done")).content
    assert await bot.client.calls("POST", r"^/webhooks/.*/messages") == []


async def test_a_deleted_status_message_takes_the_job_back(bot: BotProcess) -> None:
    status = await bot.img2img(**LONG_JOB)
    await bot.status_with(status, "Painting")
    await bot.client.delete_message(status.id, member="Grace")
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments
    assert state_of(bot, status) == ("cancelled", None)
    assert await bot.results(status) == []


async def test_a_channel_that_is_gone_settles_its_job(bot: BotProcess) -> None:
    await bot.client.add_channel("fleeting")
    status = await bot.img2img(channel="fleeting", **LONG_JOB)
    await bot.status_with(status, "Painting")
    await bot.client.remove_channel("fleeting")
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments
    assert state_of(bot, status) == ("failed", "channel_gone")


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_a_restart_in_the_middle_loses_nothing(mortal_bot: BotProcess, how: str) -> None:
    bot = mortal_bot
    delivered = await bot.result_of(await bot.img2img(seed=1, steps=4))
    running = await bot.img2img(seed=2, **LONG_JOB)
    await bot.status_with(running, "/300")
    waiting = await bot.img2img(seed=3, steps=4, member="Linus")
    await bot.status_with(waiting, "Queued")
    if how == "terminate":
        assert await bot.terminate() == 0
    else:
        await bot.kill()
    await bot.client.wait_until_bot_gone()
    await bot.start()
    assert len(await bot.client.calls("PUT", r"^/applications/\d+/commands$")) == 1  # they have not changed
    assert "`2`" in (await bot.result_of(running)).content
    assert "`3`" in (await bot.result_of(waiting)).content
    for status in (running, waiting):
        await bot.status_with(status, "✅ Done")
        assert len(await bot.results(status)) == 1
    pressed = await bot.client.press(delivered.id, "Again")  # a button from before the restart
    assert pressed.response is not None
    again = await bot.result_of(pressed.response)
    assert again.attachments
    await bot.client.press(delivered.id, "Delete")
    await bot.client.wait_for_edit(delivered.id, lambda message: message.deleted)


async def test_a_result_that_was_sent_but_not_written_down_is_not_sent_again(mortal_bot: BotProcess) -> None:
    bot = mortal_bot
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", action="drop_after", times=None)
    status = await bot.img2img(steps=4)
    result = await bot.result_of(status)
    await bot.kill()
    await bot.client.clear_faults()
    await bot.client.advance_clock(60 * 60)  # the nonce is forgotten
    await bot.start()
    done = await bot.status_with(status, "✅ Done")
    assert result.id in done.content
    assert [message.id for message in await bot.results(status)] == [result.id]
