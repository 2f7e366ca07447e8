"""Members who have installed the bot to their account use it where it is not; all else happens in direct messages."""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.replies import refusal_sentence
from playground.client import Interaction, Message, PlaygroundError
from tests.end_to_end.bot_process import CAT, PHOTOGRAPHS, QUICK, BotProcess, stand_in, told

COFFEE = PHOTOGRAPHS / "coffee.jpg"
ON = {"USER_INSTALLS": "true"}
FOR_SERVERS, FOR_BOTH = {"integration_types_config": {"0": {}}}, {"integration_types_config": {"0": {}, "1": {}}}
ELSEWHERE, AFTER_DARK, FRIENDS = "elsewhere", "elsewhere-after-dark", "friends"
EVERYONES = {"img2img", "Remix", "preferences", "privacy", "queue", "help"}


@asynccontextmanager
async def a_bot(data_dir: Path, settings: Mapping[str, str] = ON) -> AsyncIterator[BotProcess]:
    """A bot that is not running yet, which Ada has installed, with places where it is not."""
    async with stand_in() as server:
        await server.client.set_application(FOR_BOTH)
        await server.client.set_user_install("Ada")
        await server.client.add_foreign_channel(ELSEWHERE)
        await server.client.add_foreign_channel(AFTER_DARK, age_restricted=True)
        await server.client.add_foreign_channel(FRIENDS, is_group=True)
        bot = BotProcess(server, data_dir, settings, arguments=QUICK)
        try:
            yield bot
        finally:
            await bot.kill()


@pytest.fixture(scope="module")
async def abroad(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotProcess]:
    async with a_bot(tmp_path_factory.mktemp("abroad")) as bot:
        await bot.start()
        yield bot


async def ask(bot: BotProcess, channel: str, prompt: str = "a cat on a beach", *, steps: int = 4) -> Interaction:
    return await bot.client.command("img2img", {"image": CAT, "prompt": prompt, "steps": steps}, channel=channel)


async def moved(bot: BotProcess, asked: Interaction) -> Message:
    """Return the status message in direct messages to which the answer links."""
    text = await bot.told_at_last(asked)
    assert "in our direct messages: https://discord.com/channels/@me/" in text
    return await bot.client.wait_for_edit(text.rpartition("/")[2], lambda _: True)


async def offered(bot: BotProcess, channel: str) -> set[str]:
    commands = (await bot.client.get("commands", member="Ada", channel=channel))["commands"]
    return {command["name"] for command in commands}


@pytest.mark.parametrize("place", [ELSEWHERE, FRIENDS])
async def test_a_request_from_elsewhere_is_answered_in_direct_messages(abroad: BotProcess, place: str) -> None:
    status = await moved(abroad, await ask(abroad, place))
    assert status.channel == "@Ada"
    result = await abroad.result_of(status)
    assert result.attachments
    assert result.mentions == ["Ada"]
    again = await abroad.client.press(result.id, "Again")  # from here on it is like any other in direct messages
    assert again.response is not None
    assert (await abroad.result_of(again.response)).channel == "@Ada"
    assert all(message.visible_to == "Ada" for message in await abroad.client.messages(place) if message.author_is_bot)
    assert not [call for call in await abroad.client.calls("POST", "") if call.status in (401, 403)]


async def test_where_the_bot_is_nothing_is_different(abroad: BotProcess) -> None:
    status = await abroad.img2img(steps=4)
    assert (status.channel, status.ephemeral) == ("general", False)
    assert (await abroad.result_of(status)).channel == "general"


async def test_commands_for_everyone_are_offered_elsewhere_and_those_for_moderators_are_not(abroad: BotProcess) -> None:
    for place in (ELSEWHERE, FRIENDS):
        assert await offered(abroad, place) == EVERYONES
        for name in ("queue", "help", "preferences show", "privacy show"):
            assert told(await abroad.client.command(name, {}, channel=place))
        for name in ("defaults show", "limits show", "moderation reports", "operator pause"):
            with pytest.raises(PlaygroundError, match="10063"):
                await abroad.client.command(name, {}, channel=place)
        assert await abroad.client.autocomplete("img2img", "model", "demo", channel=place)


@pytest.mark.parametrize("place", [ELSEWHERE, FRIENDS])
async def test_remix_works_elsewhere_unless_the_owner_of_the_picture_is_against_it(
    abroad: BotProcess, place: str
) -> None:
    theirs = await abroad.client.say("my coffee", files=[COFFEE], member="Linus", channel=place)
    form = await abroad.client.message_command("Remix", theirs.id)
    sent = await abroad.client.submit_modal(form, {"prompt": "a castle", "more": "steps 4"})
    assert "a castle" in (await abroad.result_of(await moved(abroad, sent))).content
    form = await abroad.client.message_command("Remix", theirs.id)
    await abroad.client.command("privacy remixing", {"state": "off"}, member="Linus")
    try:
        refused = await abroad.client.message_command("Remix", theirs.id)
        assert told(refused) == refusal_sentence("remixing_off", {})
        late = await abroad.client.submit_modal(form, {"prompt": "a castle", "more": "steps 4"})
        assert (await abroad.told_at_last(late)).startswith(refusal_sentence("remixing_off", {}))
    finally:
        await abroad.client.command("privacy remixing", {"state": "on"}, member="Linus")


async def test_the_age_restriction_of_another_server_allows_nothing_more(abroad: BotProcess) -> None:
    before = abroad.rows("SELECT count(*) FROM jobs")
    refused = await abroad.told_at_last(await ask(abroad, AFTER_DARK, "a nude person"))
    assert refused.startswith(refusal_sentence("words_sexual", {}))
    assert "a nude person" in refused
    assert abroad.rows("SELECT count(*) FROM jobs") == before


async def test_who_is_blocked_by_the_operator_is_blocked_elsewhere(abroad: BotProcess) -> None:
    blocked = await abroad.client.command("operator block", {"member": "Ada"}, member="Margaret", channel="dm")
    assert (await abroad.told_at_last(blocked)).startswith("Blocked everywhere")
    try:
        refused = await abroad.told_at_last(await ask(abroad, ELSEWHERE))
        assert refused.startswith(refusal_sentence("member_blocked_everywhere", {}))
    finally:
        await abroad.client.command("operator unblock", {"member": "Ada"}, member="Margaret", channel="dm")


async def test_who_accepts_no_direct_messages_is_told_what_to_do_and_loses_nothing(abroad: BotProcess) -> None:
    await abroad.client.set_direct_messages("Ada", accepted=False)
    try:
        asked = await ask(abroad, ELSEWHERE, "a closed door")
        refused = await abroad.told_at_last(asked)
    finally:
        await abroad.client.set_direct_messages("Ada", accepted=True)
    assert refused.startswith(refusal_sentence("direct_messages_closed", {}))
    assert "a closed door" in refused
    assert abroad.rows("SELECT state FROM jobs WHERE prompt = 'a closed door'") == [("expired",)]
    assert asked.response is not None
    form = await abroad.client.press(asked.response.id, "Back to the form")
    sent = await abroad.client.submit_modal(form, {})
    assert "a closed door" in (await abroad.result_of(await moved(abroad, sent))).content


async def test_a_refusal_whose_connection_breaks_is_repeated_in_the_same_message(abroad: BotProcess) -> None:
    answers = "PATCH", r"/webhooks/.*/messages/@original$"
    shown, sent = len(await abroad.client.messages(AFTER_DARK)), len(await abroad.client.calls(*answers))
    await abroad.client.add_fault("/webhooks/", action="drop_after")
    await abroad.told_at_last(await ask(abroad, AFTER_DARK, "a nude person"))
    await abroad.client.wait_for_call(*answers, count=sent + 1)  # the broken one is not answered
    assert len(await abroad.client.messages(AFTER_DARK)) == shown + 1


async def test_who_accepts_no_direct_messages_any_more_can_try_again_later(abroad: BotProcess) -> None:
    with abroad.held():
        status = await moved(abroad, await ask(abroad, ELSEWHERE))
        await abroad.status_with(status, "Painting")
        await abroad.client.set_direct_messages("Ada", accepted=False)
    try:
        failed = await abroad.status_with(status, "⚠️")
    finally:
        await abroad.client.set_direct_messages("Ada", accepted=True)
    assert refusal_sentence("not_allowed_to_write", {}) in failed.content
    again = await abroad.client.press(status.id, "Again")
    assert again.response is not None
    assert (await abroad.result_of(again.response)).attachments


async def test_the_operators_limits_apply_elsewhere(tmp_path: Path) -> None:
    async with a_bot(tmp_path, {**ON, "COOLDOWN_SECONDS": "600"}) as bot:
        await bot.start()
        await moved(bot, await ask(bot, ELSEWHERE))
        for place in (ELSEWHERE, FRIENDS, "dm"):
            refused = await bot.told_at_last(await ask(bot, place, "a hurried fox"))
            assert "You have to wait between requests (set by the operator)" in refused
            assert "a hurried fox" in refused


async def test_kills_in_the_middle_lose_nothing(tmp_path: Path) -> None:
    async with a_bot(tmp_path) as bot:
        await bot.launch("--die-at", "told")  # the message is in direct messages, but its row does not know it yet
        assert await bot.becomes_ready()
        await ask(bot, ELSEWHERE)
        assert await bot.ended() == -signal.SIGKILL
        with bot.held():
            await bot.kill()
            await bot.start()
            (status,) = await bot.client.messages("@Ada")
            await bot.status_with(status, "Painting")
            await bot.kill()
            await bot.start()
        await bot.result_of(status)
        messages = await bot.client.messages("@Ada")
        assert [bool(message.attachments) for message in messages] == [False, True]


@pytest.mark.parametrize(
    ("settings", "application", "warns"),
    [({}, FOR_BOTH, False), (ON, FOR_SERVERS, True)],
    ids=["off", "not installable"],
)
async def test_nothing_is_offered_elsewhere_unless_the_operator_wants_it_and_the_application_allows_it(
    tmp_path: Path, settings: dict[str, str], application: dict[str, object], warns: bool
) -> None:
    async with a_bot(tmp_path, settings) as bot:
        await bot.client.set_application(application)
        await bot.start()
        assert await offered(bot, ELSEWHERE) == await offered(bot, FRIENDS) == set()
        assert await offered(bot, "general") >= EVERYONES
        assert await offered(bot, "dm") >= EVERYONES
        assert ("USER_INSTALLS has no effect" in bot.log) is warns
