"""Discord in trouble, and broken connections, during a job: it is done all the same, once."""

import asyncio
import io
import itertools
import re
from typing import Any

import pytest
from PIL import Image

from bot.discord_api.retries import PAUSES_SECONDS
from generation.images.metadata import read_embedded
from playground.client import Message
from playground.client.records import GatewayAction
from tests.end_to_end.bot_process import ACKNOWLEDGE_SECONDS, CAT, BotProcess
from tests.end_to_end.test_monitoring import figures

CALLBACK = ("POST", r"^/interactions/.*/callback$")
STATUS = ("PATCH", r"^/channels/\d+/messages/\d+$")
RESULT = ("POST", r"^/channels/\d+/messages$")
REQUESTS = {"acknowledgement": CALLBACK, "status": STATUS, "result": RESULT}
TROUBLES: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "502": {"status": 502},
    "page 429": {"action": "page", "status": 429},
    "page 502": {"action": "page", "status": 502},
    "reset": {"action": "reset"},
    "drop_after": {"action": "drop_after"},
}
# If the bot is banned at this point, Discord is answered too late: see the tests of acknowledgements below.
MET = [pair for pair in itertools.product(REQUESTS, TROUBLES) if pair != ("acknowledgement", "page 429")]


@pytest.mark.parametrize(("request_of", "trouble"), MET)
async def test_one_request_meets_trouble(bot: BotProcess, request_of: str, trouble: str) -> None:
    method, pattern = REQUESTS[request_of]
    fault = TROUBLES[trouble]
    fault_id = await bot.client.add_fault(pattern, method=method, **fault)
    status = await bot.img2img(steps=4)
    result = await bot.result_of(status)
    await bot.status_with(status, "✅ Done")
    assert [message.id for message in await bot.results(status)] == [result.id]
    await bot.client.wait_for_fault(fault_id)


async def first_about(bot: BotProcess, prompt: str, *, channel: str = "general") -> Message:
    """Wait for a message in the channel that replies to nothing and names the prompt; it may have a preview by now."""
    return await bot.client.wait_for_message(
        lambda message: message.author_is_bot and message.reference is None and prompt in message.content,
        channel=channel,
    )


async def test_an_acknowledgement_that_is_too_late_is_given_in_the_channel(bot: BotProcess) -> None:
    await bot.client.add_channel("slow")
    with bot.held():  # the final state does not name the prompt
        assert (await bot.run_unacknowledged("a late cat", channel="slow")).failed
        await bot.client.clear_faults()
        status = await first_about(bot, "a late cat", channel="slow")
        await bot.status_with(status, "Painting")
        contents = [(call.body or {}).get("content", "") for call in await bot.client.calls("POST", RESULT[1])]
        (sent,) = [content for content in contents if "a late cat" in content]
        assert sent.startswith("<@")
        assert "📥" in sent
    result = await bot.result_of(status)
    assert result.mentions == ["Ada"]
    assert result.id in (await bot.status_with(status, "✅ Done")).content


async def test_an_acknowledgement_that_does_not_get_through_is_given_in_the_channel(bot: BotProcess) -> None:
    await bot.client.add_fault(CALLBACK[1], method="POST", action="reset", times=len(PAUSES_SECONDS) + 1)
    with bot.held():
        options = {"image": CAT, "prompt": "a cut off cat", "steps": 4}
        asking = asyncio.create_task(bot.client.command("img2img", options))
        status = await first_about(bot, "a cut off cat")
        await bot.client.advance_clock(ACKNOWLEDGE_SECONDS)
        assert (await asking).response is None
    assert (await bot.result_of(status)).mentions == ["Ada"]


async def test_a_request_is_painted_although_discord_was_broken_when_it_was_to_be_answered(bot: BotProcess) -> None:
    fault = await bot.client.add_fault(RESULT[1], method="POST", status=503)  # which the library does not retry
    asked = await bot.client.say("@Palimpsest a request in a storm, steps 4", files=[CAT])
    await bot.client.wait_for_fault(fault)
    assert (await bot.result_of(await bot.answer_to(asked))).attachments


async def test_who_can_be_told_nowhere_is_not_painted_for(bot: BotProcess) -> None:
    await bot.client.add_channel("shut")
    await bot.run_unacknowledged("a cat for nobody", channel="shut")
    await bot.client.set_permissions("shut", deny=["SEND_MESSAGES"])
    await bot.client.clear_faults()
    statement = "SELECT state, failure_data FROM jobs WHERE prompt = 'a cat for nobody'"
    await bot.until(lambda: bot.rows(statement) == [("expired", '{"reason": "never_told"}')])


async def test_an_answer_to_a_press_that_was_heard_is_not_given_twice(bot: BotProcess) -> None:
    delivered = await bot.result_of(await bot.img2img(steps=4))
    await bot.client.add_fault(CALLBACK[1], method="POST", action="drop_after")
    form = await bot.client.press(delivered.id, "Edit")
    await bot.client.wait_for_call("POST", rf"^/interactions/{form.id}/.*/callback$")  # the retry, which is answered
    submitted = await bot.client.submit_modal(form, {"prompt": "a dog on a beach"})
    assert submitted.response is not None
    await bot.client.add_fault(CALLBACK[1], method="POST", action="drop_after")
    await bot.client.press(delivered.id, "Delete")
    await bot.client.wait_for_edit(delivered.id, lambda message: message.deleted)
    assert (await bot.result_of(submitted.response)).attachments


async def test_a_broken_connection_is_taken_up_again_and_not_begun_anew(quick_bot: BotProcess) -> None:
    bot = quick_bot

    async def sessions_after(action: GatewayAction) -> tuple[int, int]:
        before = await bot.client.stats()
        await bot.client.gateway(action)
        return await bot.client.wait_for_reconnection(before)

    with bot.held():
        running = await bot.img2img(steps=4)
        await bot.status_with(running, "Painting")
        waiting = await bot.img2img(steps=4, member="Linus")
        assert await sessions_after("drop") == (1, 0)
        assert await sessions_after("reconnect") == (1, 0)
        assert await sessions_after("invalid_session_resumable") == (1, 0)
        assert await sessions_after("invalid_session") == (0, 1)
        await bot.client.press(waiting.id, "Cancel", member="Linus")
        await bot.status_with(waiting, "Cancelled")
    for status in (running, await bot.img2img(steps=4)):
        assert (await bot.result_of(status)).attachments
    assert (await figures(bot))["palimpsest_gateway_connections_total{resumed}"] == 3


async def test_discord_is_busy_when_the_result_is_sent(bot: BotProcess) -> None:
    # The 502 comes first: discord.py's pause after one grows by 2 s with every response before it.
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", status=502, times=1)
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", status=429, times=2)
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
    seed = re.search(r"Seed: (\d+)", read_embedded(data).text)
    assert seed is not None
    assert f"`{seed[1]}`" in result.content
    assert "because the PNG is too large" in result.content


async def test_a_result_arrives_when_the_interaction_has_long_expired(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(steps=4)
        await bot.status_with(status, "Painting")
        earlier = len(await bot.client.calls(path_pattern=r"^/webhooks/"))
        await bot.client.advance_clock(40 * 60)
    result = await bot.result_of(status)
    assert result.mentions == ["Ada"]
    assert result.id in (await bot.status_with(status, "✅ Done")).content
    assert len(await bot.client.calls(path_pattern=r"^/webhooks/")) == earlier
