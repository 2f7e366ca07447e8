"""What a member can see and delete of their data, through the whole bot, down to the bytes on disk."""

import contextlib
from pathlib import Path

import pytest

from bot.replies import refusal_sentence
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess

MEMBER, OTHER = "Ada", "Linus"
SECRET = "quincunx"


async def privacy(
    bot: BotProcess, words: str, *, member: str = MEMBER, channel: str = "general", **options: str
) -> str:
    answer = await bot.client.command(f"privacy {words}", options, member=member, channel=channel)
    return await bot.told_at_last(answer)


def kept_bytes(folder: Path) -> bytes:
    """Return the contents of the bot's folder: database, write-ahead log, spool, log."""
    kept: list[bytes] = []
    for path in folder.rglob("*"):
        # Nothing is kept of a file that is just being deleted.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            kept.append(path.read_bytes())
    return b"".join(kept)


async def test_deletion_leaves_nothing_of_a_members_requests(mortal_bot: BotProcess) -> None:
    bot = mortal_bot
    status = await bot.img2img(member=MEMBER, prompt=f"a {SECRET} on a beach", steps=2)
    mine = await bot.result_of(status)
    theirs = await bot.result_of(await bot.img2img(member=OTHER, prompt="a castle by the sea", steps=2))
    await bot.client.press(theirs.id, "Report", member=MEMBER)
    await bot.client.command("preferences set", {"count": 1}, member=MEMBER)
    await bot.client.command("operator pause", {}, member="Margaret")
    waiting = await bot.status_with(await bot.img2img(member=MEMBER, prompt=f"{SECRET} two", steps=2), "Queued")
    shown = await privacy(bot, "show")
    for line in ("**2** requests", "**1** setting from", "**1** report that"):
        assert line in shown, shown
    assert SECRET.encode() in kept_bytes(bot.data_dir)
    spool = bot.data_dir / "spool"
    assert len(list(spool.iterdir())) == 3

    told = await privacy(bot, "delete", what="everything")
    assert told.startswith("🧹 Deleted.")
    for line in ("**0** requests", "**0** settings from", "**0** reports that"):
        assert line in told, told
    kept = kept_bytes(bot.data_dir)
    assert SECRET.encode() not in kept
    assert b"a castle by the sea" in kept
    assert len(list(spool.iterdir())) == 1
    for message in (mine, status, waiting):
        assert (await bot.client.message(message.id)).deleted
    *_, last = await bot.client.calls(path_pattern=status.id)
    assert last.method == "DELETE"  # nothing more is said about deleted requests
    assert not (await bot.client.message(theirs.id)).deleted

    await bot.client.command("operator resume", {}, member="Margaret")
    again = await bot.client.press(theirs.id, "Again", member=OTHER)
    assert again.response is not None
    assert (await bot.result_of(again.response)).attachments  # other requesters are served as before
    await bot.kill()
    async with BotProcess(bot.server, bot.data_dir, arguments=QUICK) as restarted:
        assert SECRET.encode() not in kept_bytes(bot.data_dir)
        assert "**0** requests" in await privacy(restarted, "show")


async def test_a_request_that_is_being_painted_is_given_up_and_deleted(quick_bot: BotProcess) -> None:
    bot = quick_bot
    with bot.held():
        status = await bot.img2img(member=MEMBER, prompt=f"a {SECRET}", steps=4)
        await bot.status_with(status, "Painting")
        assert (await privacy(bot, "delete", what="requests")).startswith("🧹 Deleted.")
    assert SECRET.encode() not in kept_bytes(bot.data_dir)
    assert (await bot.client.message(status.id)).deleted
    assert await bot.results(status) == []


async def test_what_discord_does_not_let_go_is_said_and_can_be_deleted_later(quick_bot: BotProcess) -> None:
    bot = quick_bot
    result = await bot.result_of(await bot.img2img(member=MEMBER, steps=1))
    await bot.client.set_permissions("general", deny=["VIEW_CHANNEL"])
    calls = await bot.client.calls(method="DELETE")
    told = await privacy(bot, "delete", channel=f"@{MEMBER}", what="requests")
    assert told.startswith("🧹 Deleted, except for 2 messages of mine"), told
    assert "**0** requests" in told
    assert await bot.client.calls(method="DELETE") == calls  # every refused request would count towards a ban
    await bot.client.set_permissions("general")
    again = await bot.client.press(result.id, "Again", member=MEMBER)
    assert again.response is not None
    assert again.response.content == refusal_sentence("job_unknown", {})
    refused = await bot.client.press(result.id, "Delete", member=OTHER)
    assert refused.response is not None
    assert refused.response.content == refusal_sentence("not_yours_to_delete", {})
    await bot.client.press(result.id, "Delete", member=MEMBER)
    await bot.client.wait_for_edit(result.id, lambda message: message.deleted)


async def test_a_deletion_that_the_end_of_the_bot_cuts_short_goes_on_at_the_next_start(quick_bot: BotProcess) -> None:
    bot = quick_bot
    statuses = [await bot.img2img(member=MEMBER, steps=1) for _ in range(2)]
    results = [await bot.result_of(status) for status in statuses]
    fault = await bot.client.add_fault(rf"/messages/{results[0].id}$", method="DELETE", action="hang")
    await bot.client.command("privacy delete", {"what": "requests"}, member=MEMBER)
    await bot.client.wait_for_fault(fault)
    await bot.kill()
    await bot.client.clear_faults()
    await bot.start()
    for message in (*statuses, *results):
        await bot.client.wait_for_edit(message.id, lambda message: message.deleted)
    await bot.until(lambda: bot.rows("SELECT 1 FROM jobs WHERE prompt <> ''") == [])
    await bot.until(lambda: bot.rows("SELECT 1 FROM facts WHERE name LIKE 'forgetting%'") == [])


async def test_consent_is_asked_for_before_a_file_is_fetched(bot: BotProcess) -> None:
    posted = await bot.client.say("look", files=[("mine.jpg", CAT.read_bytes())], member=MEMBER)
    watch = await bot.client.add_fault(r"^/attachments/.*/mine\.jpg$", method="GET", action="status", times=None)

    async def fetches() -> int:
        (hits,) = [fault["hits"] for fault in (await bot.client.stats())["faults"] if fault["id"] == watch]
        return hits

    await privacy(bot, "remixing", state="off")
    try:
        refused = await bot.client.message_command("Remix", posted.id, member=OTHER)
        assert refused.response is not None
        assert refused.response.content == refusal_sentence("remixing_off", {})
        assert await fetches() == 0
        assert (await bot.client.message_command("Remix", posted.id, member=MEMBER)).modal is not None
        assert await fetches() == 1
    finally:
        await bot.client.clear_faults(watch)
        await privacy(bot, "remixing", state="on")


async def test_remixing_off_holds_for_results_and_for_posted_pictures(bot: BotProcess) -> None:
    refusal = refusal_sentence("remixing_off", {})
    result = await bot.result_of(await bot.img2img(member=MEMBER, steps=2))
    posted = await bot.client.say("look", files=[CAT], member=MEMBER)
    said = await bot.client.say("@Palimpsest a dog, steps 2", member=OTHER, reply_to=posted.id)
    theirs = await bot.result_of(await bot.answer_to(said))
    assert "Others may not paint" in await privacy(bot, "remixing", state="off")
    try:
        for label in ("Again", "Edit", "Use as input", "Strengths"):
            refused = await bot.client.press(result.id, label, member=OTHER)
            assert refused.response is not None
            assert refused.response.content.startswith(refusal), label
        for message in (result, posted):
            refused = await bot.client.message_command("Remix", message.id, member=OTHER)
            assert refused.response is not None
            assert refused.response.content == refusal
            said = await bot.client.say("@Palimpsest a dog, steps 2", member=OTHER, reply_to=message.id)
            assert (await bot.answer_to(said)).content == refusal
        # Both would start from the posted picture again.
        for label in ("Again", "Edit"):
            refused = await bot.client.press(theirs.id, label, member=OTHER)
            assert refused.response is not None
            assert refused.response.content.startswith(refusal), label
        own = await bot.client.press(result.id, "Again", member=MEMBER)
        assert own.response is not None
        assert (await bot.result_of(own.response)).attachments
    finally:
        assert "Others may paint" in await privacy(bot, "remixing", state="on")
    again = await bot.client.press(result.id, "Again", member=OTHER)
    assert again.response is not None
    assert (await bot.result_of(again.response)).attachments


async def test_the_words_of_a_result_that_was_deleted_are_shown_to_nobody_else(bot: BotProcess) -> None:
    status = await bot.img2img(member=MEMBER, prompt=f"a {SECRET}", steps=2)
    result = await bot.result_of(status)
    await bot.client.press(result.id, "Delete", member=MEMBER)
    await bot.status_with(status, "was deleted")
    said = await bot.client.say("@Palimpsest", files=[CAT], member=OTHER, reply_to=status.id)
    assert (await bot.answer_to(said)).content == refusal_sentence("no_prompt", {})
    said = await bot.client.say("@Palimpsest steps 2", files=[CAT], member=MEMBER, reply_to=status.id)
    assert SECRET in (await bot.result_of(await bot.answer_to(said))).content


async def test_in_direct_messages_and_for_somebody_of_whom_nothing_is_kept(bot: BotProcess) -> None:
    await bot.client.add_member("Nobody")
    shown = await privacy(bot, "show", member="Nobody", channel="@Nobody")
    assert "**0** requests" in shown
    assert (await privacy(bot, "delete", member="Nobody", channel="@Nobody", what="everything")).startswith("🧹")
    assert "What I keep" in await privacy(bot, "delete", member="Nobody", what="preferences")


HOSTILE = {
    "everyone": "@everyone @here <@123456789012345678> <@&223456789012345678> a cat",
    "markdown": "**a** __cat__ ||on|| ~~a~~ `beach` ```js\nx``` > # [x](http://example.org)",
    "right to left": "\u202eאבג\u202c مرحبا a cat \u2067x\u2069",
    "long": "cat " * 374,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_prompts_ping_nobody_and_break_nothing(bot: BotProcess, name: str) -> None:
    status = await bot.img2img(prompt=HOSTILE[name], steps=2)
    result = await bot.result_of(status)
    assert result.mentions == ["Ada"]
    assert not result.mention_everyone
    assert status.mentions == []
    assert not status.mention_everyone
    assert len(result.content) <= 2000
    for mark in ("**a**", "||on||", "@everyone", "<@123456789012345678>", "<@&223456789012345678>"):
        assert mark not in result.content, mark


async def test_four_thousand_characters_are_refused_with_a_sentence(bot: BotProcess) -> None:
    said = await bot.client.say("@Palimpsest " + "cat " * 450 + "@everyone", files=[CAT], member=OTHER)
    answer = await bot.answer_to(said)
    assert "shorten it to 1,500" in answer.content
    assert not answer.mention_everyone
    assert answer.mentions == []


async def test_help_names_report_and_privacy(bot: BotProcess) -> None:
    answer = await bot.client.command("help", {}, member=MEMBER)
    assert answer.response is not None
    assert "**Report**" in answer.response.content
    assert "`/privacy`" in answer.response.content
    assert "`/moderation`" in answer.response.content
    assert len(answer.response.content) < 1900
