"""Everything that goes wrong around a job: the job is done all the same, once."""

import asyncio
import io
import itertools
import re
from typing import Any

import pytest
from PIL import Image

from bot.discord_api.perseverance import PAUSES_SECONDS
from bot.replies import NOT_QUOTED, refusal_sentence
from generation.images.metadata import read_embedded
from playground.client import Message
from playground.client.records import GatewayAction
from tests.end_to_end.bot_process import ACKNOWLEDGE_SECONDS, CAT, BotProcess, told
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
# Who is shut out before Discord is answered too late: see the acknowledgements below.
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
    """Wait for what a member is told in the channel; it answers nothing, and may carry a preview by now."""
    return await bot.client.wait_for_message(
        lambda message: message.author_is_bot and message.reference is None and prompt in message.content,
        channel=channel,
    )


async def test_an_acknowledgement_that_is_too_late_is_given_in_the_channel(bot: BotProcess) -> None:
    await bot.client.add_channel("slow")
    with bot.held():  # the last word names no prompt
        assert (await bot.ask_in_vain("a late cat", channel="slow")).failed
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
    fault = await bot.client.add_fault(RESULT[1], method="POST", status=503)  # which the library does not repeat
    asked = await bot.client.say("@Palimpsest a request in a storm, steps 4", files=[CAT])
    await bot.client.wait_for_fault(fault)
    assert (await bot.result_of(await bot.answer_to(asked))).attachments


async def test_a_message_that_is_deleted_before_it_is_answered_is_no_error_that_nobody_foresaw(bot: BotProcess) -> None:
    before = (await figures(bot))["palimpsest_errors_total"]
    fault = await bot.client.add_fault(RESULT[1], method="POST", action="hang")
    asked = await bot.client.say("@Palimpsest a request taken back, steps 4", files=[CAT])
    await bot.client.wait_for_fault(fault)
    await bot.client.delete_message(asked.id)
    await bot.client.clear_faults()
    statement = "SELECT state FROM jobs WHERE prompt = 'a request taken back'"
    # Discord's refusal and the news that the message is gone come in either order.
    ends = ([("expired",)], [("cancelled",)])
    await bot.until(lambda: bot.rows(statement) in ends and "a message could not be answered" in bot.log)
    assert (await figures(bot))["palimpsest_errors_total"] == before


async def test_who_can_be_told_nowhere_is_not_painted_for(bot: BotProcess) -> None:
    await bot.client.add_channel("shut")
    await bot.ask_in_vain("a cat for nobody", channel="shut")
    await bot.client.set_permissions("shut", deny=["SEND_MESSAGES"])
    await bot.client.clear_faults()
    statement = "SELECT state, failure_data FROM jobs WHERE prompt = 'a cat for nobody'"
    await bot.until(lambda: bot.rows(statement) == [("expired", '{"reason": "never_told"}')])


async def test_an_answer_to_a_press_that_was_heard_is_not_given_twice(bot: BotProcess) -> None:
    delivered = await bot.result_of(await bot.img2img(steps=4))
    await bot.client.add_fault(CALLBACK[1], method="POST", action="drop_after")
    form = await bot.client.press(delivered.id, "Edit")
    await bot.client.wait_for_call("POST", rf"^/interactions/{form.id}/.*/callback$")  # the second, which is answered
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


async def test_rights_that_are_taken_away_settle_a_job_with_a_reason(bot: BotProcess) -> None:
    await bot.client.add_channel("closing")
    with bot.held():
        status = await bot.img2img(channel="closing", steps=4)
        await bot.status_with(status, "Painting")
        before = (await figures(bot))["palimpsest_discord_invalid_requests_total"]
        await bot.client.set_permissions("closing", deny=["ATTACH_FILES"])
    assert "I may not post in this channel any more" in (await bot.status_with(status, "⚠️")).content
    assert bot.job(status)[:2] == ("failed", "not_allowed_here")
    seen = await figures(bot)
    assert seen["palimpsest_discord_invalid_requests_total"] > before
    assert seen["palimpsest_discord_invalid_requests_recent"] >= 1
    refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat"}, channel="closing")
    assert refused.response is not None
    assert "I lack" in refused.response.content


async def test_where_the_bot_may_not_reply_any_more_the_result_comes_by_itself(bot: BotProcess) -> None:
    await bot.client.add_channel("forgetful")
    with bot.held():
        status = await bot.img2img(channel="forgetful", steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.set_permissions("forgetful", deny=["READ_MESSAGE_HISTORY"])
    done = await bot.status_with(status, "✅ Done")
    result = await bot.client.wait_for_message(lambda message: message.id in done.content, channel="forgetful")
    assert result.attachments
    assert result.reference is None
    assert result.mentions == ["Ada"]


async def test_automod_does_not_let_the_bot_repeat_what_it_does_not_let_members_write(bot: BotProcess) -> None:
    sentence = refusal_sentence("stopped_by_automod", {})
    statement = "SELECT count(*) FROM jobs WHERE settled_at IS NULL"
    try:
        await bot.client.set_automod("verboten")
        by_command = await bot.client.command("img2img", {"image": CAT, "prompt": "a Verboten cat"})
        assert told(by_command).startswith(sentence)
        assert "a Verboten cat" in told(by_command)
        said = await bot.client.say("@Palimpsest a verboten cat", member="Grace", files=[CAT])  # who is exempt
        assert (await bot.answer_to(said)).content == sentence
        assert bot.rows(statement) == [(0,)]
        status = await bot.img2img(prompt="a shown cat", negative_prompt="verboten", steps=4)
        result = await bot.result_of(status)
        assert result.content.startswith("For <@")
        assert "verboten" not in result.content
        assert NOT_QUOTED in result.content
        assert result.mentions == ["Ada"]
        with bot.held():
            status = await bot.img2img(prompt="a new rule", steps=4)
            await bot.status_with(status, "Painting")
            await bot.client.set_automod("rule")
            await bot.client.press(status.id, "Cancel")
        assert (await bot.status_with(status, "Cancelled")).content == "🚫 Cancelled"
    finally:
        await bot.client.set_automod()


async def test_a_result_that_the_bot_cannot_reach_any_more_is_no_error_that_nobody_foresaw(bot: BotProcess) -> None:
    await bot.client.add_channel("curtained")
    result = await bot.result_of(await bot.img2img(channel="curtained", steps=4))
    before = (await figures(bot))["palimpsest_errors_total"]
    await bot.client.set_permissions("curtained", deny=["VIEW_CHANNEL"])
    pressed = await bot.client.press(result.id, "Delete")
    told = await bot.client.wait_for_interaction(pressed.id, lambda each: each.followups != [])
    assert "Discord does not let me do that here" in told.followups[0].content
    assert (await figures(bot))["palimpsest_errors_total"] == before


async def test_discord_is_busy_when_the_result_is_sent(bot: BotProcess) -> None:
    # The 502 first: discord.py's pause after one is longer by 2 s for every answer before it.
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
    assert "because the PNG is larger" in result.content


async def test_the_executor_is_killed_in_the_middle(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(seed=5, steps=4)
        await bot.status_with(status, "Painting")
        bot.child("generation.executors.worker").kill()
    result = await bot.result_of(status)
    assert "`5`" in result.content
    await bot.status_with(status, "✅ Done")
    assert len(await bot.results(status)) == 1


async def test_the_decoder_is_killed(bot: BotProcess) -> None:
    bot.child("generation.images.worker").kill()
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments


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


async def test_a_deleted_status_message_takes_the_job_back(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.delete_message(status.id, member="Grace")
        await bot.queue_says("Nobody waits")
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments
    assert bot.job(status)[:2] == ("cancelled", None)
    assert await bot.results(status) == []


async def test_a_result_that_is_on_its_way_when_its_request_is_taken_back_is_withdrawn(bot: BotProcess) -> None:
    await bot.client.add_channel("withdrawn")
    with bot.held():
        status = await bot.img2img(channel="withdrawn", steps=4)
        await bot.status_with(status, "Painting")
        fault = await bot.client.add_fault(RESULT[1], method="POST", action="hang")
    await bot.client.wait_for_fault(fault)
    earlier = len(await bot.client.calls("DELETE", STATUS[1]))
    await bot.client.delete_message(status.id, member="Grace")
    await bot.until(lambda: bot.job(status)[0] == "cancelled")
    await bot.client.clear_faults()
    await bot.client.wait_for_call("DELETE", STATUS[1], count=earlier + 1)
    assert await bot.client.messages("withdrawn") == []


async def test_a_channel_that_is_gone_settles_its_job(bot: BotProcess) -> None:
    await bot.client.add_channel("fleeting")
    with bot.held():
        status = await bot.img2img(channel="fleeting", steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.remove_channel("fleeting")
        await bot.until(lambda: bot.job(status) == ("expired", None, {"reason": "channel_gone"}))
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments


async def test_a_channel_that_is_gone_when_the_bot_comes_back_settles_its_job(quick_bot: BotProcess) -> None:
    bot = quick_bot
    await bot.client.add_channel("fleeting")
    with bot.held():
        status = await bot.img2img(channel="fleeting", steps=4)
        await bot.status_with(status, "Painting")
        await bot.kill()
        await bot.client.remove_channel("fleeting")
    await bot.start()
    await bot.until(lambda: bot.job(status)[:2] == ("failed", "channel_gone"))


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_a_restart_in_the_middle_loses_nothing(quick_bot: BotProcess, how: str) -> None:
    bot = quick_bot
    delivered = await bot.result_of(await bot.img2img(seed=1, steps=4))
    with bot.held():
        running = await bot.img2img(seed=2, steps=4)
        await bot.status_with(running, "Painting")
        waiting = await bot.img2img(seed=3, steps=4, member="Linus")
        await bot.status_with(waiting, "Queued")
        if how == "terminate":
            assert await bot.terminate() == 0
        else:
            await bot.kill()
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


async def test_a_result_that_was_sent_but_not_written_down_is_not_sent_again(quick_bot: BotProcess) -> None:
    bot = quick_bot
    await bot.client.add_fault(r"/channels/\d+/messages$", method="POST", action="drop_after", times=None)
    await bot.client.add_fault(r"/channels/\d+/messages$", method="GET", action="hang", times=None)
    status = await bot.img2img(steps=4)
    result = await bot.shown_result_of(status)
    await bot.kill()
    await bot.client.clear_faults()
    await bot.client.advance_clock(60 * 60)  # the nonce is forgotten
    await bot.start()
    done = await bot.status_with(status, "✅ Done")
    assert result.id in done.content
    assert [message.id for message in await bot.results(status)] == [result.id]
