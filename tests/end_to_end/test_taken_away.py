"""Permissions, words, messages and channels disappear during a job: it ends with a reason, or goes on."""

from bot.replies import NOT_QUOTED, refusal_sentence
from tests.end_to_end.bot_process import CAT, BotProcess, told
from tests.end_to_end.test_monitoring import figures

SENT, DELETED = r"^/channels/\d+/messages$", r"^/channels/\d+/messages/\d+$"


async def test_a_message_that_is_deleted_before_it_is_answered_is_no_error_that_nobody_foresaw(bot: BotProcess) -> None:
    before = (await figures(bot))["palimpsest_errors_total"]
    fault = await bot.client.add_fault(SENT, method="POST", action="hang")
    asked = await bot.client.say("@Palimpsest a request taken back, steps 4", files=[CAT])
    await bot.client.wait_for_fault(fault)
    await bot.client.delete_message(asked.id)
    await bot.client.clear_faults()
    statement = "SELECT state FROM jobs WHERE prompt = 'a request taken back'"
    # Discord's refusal and the event that the message is gone arrive in either order.
    ends = ([("expired",)], [("cancelled",)])
    await bot.until(lambda: bot.rows(statement) in ends and "a message could not be answered" in bot.log)
    assert (await figures(bot))["palimpsest_errors_total"] == before


async def test_rights_that_are_taken_away_settle_a_job_with_a_reason(bot: BotProcess) -> None:
    await bot.client.add_channel("closing")
    with bot.held():
        status = await bot.img2img(channel="closing", steps=4)
        await bot.status_with(status, "Painting")
        before = (await figures(bot))["palimpsest_discord_invalid_requests_total"]
        await bot.client.set_permissions("closing", deny=["ATTACH_FILES"])
    assert "I can't post in this channel any more" in (await bot.status_with(status, "⚠️")).content
    assert bot.job(status)[:2] == ("failed", "not_allowed_here")
    seen = await figures(bot)
    assert seen["palimpsest_discord_invalid_requests_total"] > before
    assert seen["palimpsest_discord_invalid_requests_recent"] >= 1
    refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat"}, channel="closing")
    assert refused.response is not None
    assert "missing permissions" in refused.response.content


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
        # Grace is exempt from AutoMod.
        said = await bot.client.say("@Palimpsest a verboten cat", member="Grace", files=[CAT])
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
    assert "Discord won't let me do that here" in told.followups[0].content
    assert (await figures(bot))["palimpsest_errors_total"] == before


async def test_a_deleted_status_message_takes_the_job_back(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.delete_message(status.id, member="Grace")
        await bot.queue_says("Nobody is waiting")
    assert (await bot.result_of(await bot.img2img(steps=4))).attachments
    assert bot.job(status)[:2] == ("cancelled", None)
    assert await bot.results(status) == []


async def test_a_result_that_is_on_its_way_when_its_request_is_taken_back_is_withdrawn(bot: BotProcess) -> None:
    await bot.client.add_channel("withdrawn")
    with bot.held():
        status = await bot.img2img(channel="withdrawn", steps=4)
        await bot.status_with(status, "Painting")
        fault = await bot.client.add_fault(SENT, method="POST", action="hang")
    await bot.client.wait_for_fault(fault)
    earlier = len(await bot.client.calls("DELETE", DELETED))
    await bot.client.delete_message(status.id, member="Grace")
    await bot.until(lambda: bot.job(status)[0] == "cancelled")
    await bot.client.clear_faults()
    await bot.client.wait_for_call("DELETE", DELETED, count=earlier + 1)
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


async def test_deleting_the_request_cancels_the_job(bot: BotProcess) -> None:
    with bot.held():
        asked = await bot.client.say("@Palimpsest a rocket, steps 4", files=[CAT])
        status = await bot.answer_to(asked)
        await bot.status_with(status, "Painting")
        await bot.client.delete_message(asked.id)
        await bot.status_with(status, "🚫 Cancelled because the message that asked for it was deleted")
    assert await bot.results(status) == []
