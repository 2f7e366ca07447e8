"""The bot works in threads as in their channel, until they are closed to it, and in the text chat of voice channels."""

import pytest

from bot.replies import refusal_sentence
from playground.client import PlaygroundError
from tests.end_to_end.bot_process import CAT, BotProcess, told


async def test_a_thread_has_the_settings_of_its_channel_and_every_way_in(bot: BotProcess) -> None:
    await bot.client.add_channel("with threads")
    await bot.client.add_thread("a thread", channel="with threads")
    where = {"where": "channel", "steps": 2, "max_steps": 3}
    assert "(from the channel)" in told(
        await bot.client.command("defaults set", where, member="Grace", channel="a thread")
    )
    result = await bot.result_of(await bot.img2img(channel="a thread"))
    assert (result.channel, "2 steps" in result.content) == ("a thread", True)
    past = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat", "steps": 4}, channel="with threads")
    assert "The limit for steps here is 3 (set for this channel)" in told(past)
    said = await bot.client.say("@Palimpsest a fox, seed 5", files=[CAT], channel="a thread")
    fox = await bot.result_of(await bot.answer_to(said))
    assert "`5`" in fox.content
    again = await bot.client.say("again", reply_to=fox.id, channel="a thread")
    assert (await bot.result_of(await bot.answer_to(again))).attachments
    pressed = await bot.client.press(fox.id, "Again", member="Linus")
    assert pressed.response is not None
    assert (await bot.result_of(pressed.response)).mentions == ["Linus"]
    await bot.client.set_permissions("with threads", deny=["SEND_MESSAGES_IN_THREADS"])
    refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat"}, channel="a thread")
    assert "missing permissions (Send Messages in Threads" in told(refused)


@pytest.mark.parametrize("is_locked", [False, True])
async def test_a_thread_that_is_archived_while_its_picture_is_painted(bot: BotProcess, is_locked: bool) -> None:
    name = f"archived {'and locked' if is_locked else ''}".strip()
    await bot.client.add_thread(name)
    with bot.held():
        status = await bot.img2img(channel=name, steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.set_thread(name, archived=True, locked=is_locked)
    if not is_locked:  # the result reopens it
        await bot.result_of(status)
        return
    await bot.until(lambda: bot.job(status)[:2] == ("failed", "not_allowed_here"))
    assert "Painting" in (await bot.client.message(status.id)).content
    await bot.until(lambda: "could not be edited (HTTPException)" in bot.log)
    assert bot.rows("SELECT is_end_shown FROM jobs WHERE status_message_id = ?", int(status.id)) == [(0,)]


async def test_a_thread_that_is_deleted_while_its_picture_is_painted(bot: BotProcess) -> None:
    await bot.client.add_thread("short-lived")
    with bot.held():
        status = await bot.img2img(channel="short-lived", steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.remove_channel("short-lived")
        await bot.until(lambda: bot.job(status)[0] == "expired")


async def test_a_bot_that_is_timed_out_says_so_and_works_again_afterwards(quick_bot: BotProcess) -> None:
    bot = quick_bot
    with bot.held():
        status = await bot.img2img(steps=4)
        await bot.status_with(status, "Painting")
        await bot.client.time_out(3600)
    assert refusal_sentence("not_allowed_here", {}) in (await bot.status_with(status, "⚠️")).content
    refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat"})
    assert "has timed me out. I can paint here again <t:" in told(refused)
    await bot.client.time_out(0)
    assert (await bot.result_of(await bot.img2img(steps=1))).attachments


async def test_the_text_of_a_voice_channel_is_for_those_who_may_join_it(bot: BotProcess) -> None:
    await bot.client.add_channel("voices", voice=True)
    assert (await bot.result_of(await bot.img2img(channel="voices", steps=4))).attachments
    said = await bot.client.say("@Palimpsest a fox, steps 4", files=[CAT], channel="voices")
    assert (await bot.result_of(await bot.answer_to(said))).attachments
    with pytest.raises(PlaygroundError, match="Not a channel of this kind"):  # Discord offers none there
        await bot.client.command("moderation log", {"channel": "voices"}, member="Grace")
    await bot.client.set_permissions("voices", deny=["CONNECT"])
    refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a cat"}, channel="voices")
    assert "missing permissions (Connect)" in told(refused)


async def test_a_thread_is_as_age_restricted_as_its_channel(bot: BotProcess) -> None:
    await bot.client.add_thread("after-dark thread", channel="after-dark")
    await bot.client.add_thread("everybody's thread", channel="general")
    options = {"image": CAT, "prompt": "a nude woman", "steps": 4}
    refused = await bot.client.command("img2img", options, channel="everybody's thread")
    assert refusal_sentence("words_sexual", {}) in told(refused)
    taken = await bot.client.command("img2img", options, channel="after-dark thread")
    assert taken.response is not None
    assert not taken.ephemeral
    await bot.result_of(taken.response)
