"""Who may do what: one table, and every cell of it done through the stand-in by the person of its column.

To add a person, add a column to ``TABLE`` and a line to ``PEOPLE``; to add an act, add a row and a function under it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.replies import refusal_sentence
from playground.client import Interaction, Message, PlaygroundError
from tests.end_to_end.bot_process import CAT, PHOTOGRAPHS, QUICK, BotProcess, stand_in, told

CHANNEL = "permissions"
DRAWING = PHOTOGRAPHS / "drawing-house.png"


class Person(NamedTuple):
    """Who acts, and where. What is acted upon is always the requester's and lies in the same place."""

    member: str
    channel: str = CHANNEL

    @property
    def bots_name(self) -> str:
        return "" if self.channel.startswith("@") else "@Palimpsest "


REQUESTER = "Ada"
BLOCKED = "Katherine"
PEOPLE = {
    "requester": Person(REQUESTER),
    "other member": Person("Linus"),
    "blocked member": Person(BLOCKED),
    "moderator": Person("Grace"),
    "operator": Person("Margaret"),
    "direct message": Person(REQUESTER, f"@{REQUESTER}"),
}

# "yes": it is done. "no offer": Discord's own client does not let it happen. Anything else is the reason of a refusal,
# whose sentence, and no other, the person is told alone. What moderators are told stands in the server, whoever presses
# it from wherever. "to all" are commands that the server gives to everybody in
# its settings under Integrations, so that only the bot's own check is left.
TABLE = """
act                                 | requester        | other member        | blocked member      | moderator        | operator    | direct message
/img2img                            | yes              | yes                 | member_blocked      | yes              | yes         | yes
/img2img, models completed          | yes              | yes                 | yes                 | yes              | yes         | yes
/queue                              | yes              | yes                 | yes                 | yes              | yes         | yes
/help                               | yes              | yes                 | yes                 | yes              | yes         | yes
/preferences show                   | yes              | yes                 | yes                 | yes              | yes         | yes
/preferences set                    | yes              | yes                 | yes                 | yes              | yes         | yes
/preferences reset                  | yes              | yes                 | yes                 | yes              | yes         | yes
/privacy show                       | yes              | yes                 | yes                 | yes              | yes         | yes
/privacy remixing                   | yes              | yes                 | yes                 | yes              | yes         | yes
/privacy delete                     | yes              | yes                 | yes                 | yes              | yes         | yes
/defaults show                      | no offer         | no offer            | no offer            | yes              | yes         | no offer
/defaults set                       | no offer         | no offer            | no offer            | yes              | yes         | no offer
/defaults reset                     | no offer         | no offer            | no offer            | yes              | yes         | no offer
/defaults show, to all              | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/defaults set, to all               | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/defaults reset, to all             | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/limits show                        | no offer         | no offer            | no offer            | yes              | yes         | no offer
/limits set                         | no offer         | no offer            | no offer            | yes              | yes         | no offer
/limits reset                       | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation policy show             | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation policy set              | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation test                    | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation log                     | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation audit                   | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation reports                 | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation block add               | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation block remove            | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation block list              | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation terms add               | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation terms remove            | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation terms list              | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation pictures add            | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation pictures remove         | no offer         | no offer            | no offer            | yes              | yes         | no offer
/moderation pictures list           | no offer         | no offer            | no offer            | yes              | yes         | no offer
/limits show, to all                | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/limits set, to all                 | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/limits reset, to all               | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation policy show, to all     | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation policy set, to all      | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation test, to all            | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation log, to all             | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation audit, to all           | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation reports, to all         | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation block add, to all       | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation block remove, to all    | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation block list, to all      | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation terms add, to all       | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation terms remove, to all    | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation terms list, to all      | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation pictures add, to all    | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation pictures remove, to all | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/moderation pictures list, to all   | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | no offer
/operator pause                     | no offer         | no offer            | no offer            | no offer         | yes         | not_the_operator
/operator resume                    | no offer         | no offer            | no offer            | no offer         | yes         | not_the_operator
/operator drain                     | no offer         | no offer            | no offer            | no offer         | yes         | not_the_operator
/operator model                     | no offer         | no offer            | no offer            | no offer         | yes         | not_the_operator
/operator delete                    | no offer         | no offer            | no offer            | no offer         | job_unknown | not_the_operator
/operator pause, to all             | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | yes         | not_the_operator
/operator resume, to all            | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | yes         | not_the_operator
/operator drain, to all             | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | yes         | not_the_operator
/operator model, to all             | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | yes         | not_the_operator
/operator delete, to all            | not_the_operator | not_the_operator    | not_the_operator    | not_the_operator | job_unknown | not_the_operator
menu Remix, its form                | yes              | yes                 | member_blocked      | yes              | yes         | yes
button Again                        | yes              | yes                 | member_blocked      | yes              | yes         | yes
button Edit, its form               | yes              | yes                 | member_blocked      | yes              | yes         | yes
button Use as input, its form       | yes              | yes                 | member_blocked      | yes              | yes         | yes
a form the requester opened         | yes              | no offer            | no offer            | no offer         | no offer    | yes
button Delete                       | yes              | not_yours_to_delete | not_yours_to_delete | yes              | yes         | yes
button Cancel                       | yes              | not_yours_to_cancel | not_yours_to_cancel | yes              | yes         | yes
button Report                       | yes              | yes                 | yes                 | yes              | yes         | yes
button Spoiler, of moderators       | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | not_a_moderator
button List picture, of moderators  | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | not_a_moderator
button Delete, of moderators        | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | not_a_moderator
button Block, of moderators         | not_a_moderator  | not_a_moderator     | not_a_moderator     | yes              | yes         | not_a_moderator
delete the request                  | yes              | no offer            | no offer            | yes              | yes         | yes
delete the status                   | no offer         | no offer            | no offer            | yes              | yes         | no offer
delete the result                   | no offer         | no offer            | no offer            | yes              | yes         | no offer
mention with a picture              | yes              | yes                 | member_blocked      | yes              | yes         | yes
mention alone                       | yes              | yes                 | yes                 | yes              | yes         | yes
reply with words to a result        | yes              | yes                 | member_blocked      | yes              | yes         | yes
reply with numbers to a result      | yes              | yes                 | member_blocked      | yes              | yes         | yes
reply to a posted picture           | yes              | yes                 | member_blocked      | yes              | yes         | yes
"""  # noqa: E501

# Unknown interaction, unknown command, missing access, missing permissions.
NO_OFFER = (10062, 10063, 50001, 50013)

HEAD, *ROWS = ([cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines())
CELLS = [
    pytest.param(row[0], column, cell, id=f"{row[0]} by {column}")
    for row in ROWS
    for column, cell in zip(HEAD[1:], row[1:], strict=True)
]


# How a status message begins that nothing has gone wrong with; it may be anywhere by the time a test looks.
UNDER_WAY = ("📥", "🕐", "⏸️", "💤", "🎨", "📤", "✅")


class Stage(NamedTuple):
    """The place, and the requester's results in it that nobody takes away."""

    bot: BotProcess
    results: dict[str, Message]

    async def asked(self, channel: str) -> Message:
        """Return the status of a small request of the requester's."""
        return await self.bot.img2img(member=REQUESTER, channel=channel, steps=2, seed=1)

    async def result(self, channel: str) -> Message:
        """Return a result of the requester's to act upon."""
        if channel not in self.results:
            self.results[channel] = await self.bot.result_of(await self.asked(channel))
        return self.results[channel]

    async def painted(self, person: Person, status: Message | None) -> str | None:
        """Wait for a picture for the person, or return the first line of what they are told instead."""
        assert status is not None
        if not status.content.startswith(UNDER_WAY):
            return first_line(status.content)
        made = await self.bot.result_of(status)
        assert made.mentions == [person.member]
        assert made.attachments
        return None

    async def operator(self, verb: str) -> None:
        await self.bot.client.command(f"operator {verb}", {}, member="Margaret", channel=CHANNEL)


Act = Callable[[Stage, Person], Awaitable[str | None]]
ACTS: dict[str, Act] = {}


def act(name: str) -> Callable[[Act], Act]:
    """Do a row of the table by this function; it returns the first line of a refusal, or None when it is done."""
    return lambda function: ACTS.setdefault(name, function)


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def unless(expected: str, line: str) -> str | None:
    return None if expected in line else line


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with (
        stand_in() as server,
        BotProcess(server, tmp_path_factory.mktemp("bot"), arguments=QUICK) as bot,
    ):
        await bot.client.add_channel(CHANNEL)
        await bot.client.add_member(BLOCKED)
        await bot.client.command("moderation block add", {"member": BLOCKED}, member="Grace", channel=CHANNEL)
        yield Stage(bot, {})


@pytest.mark.parametrize(("name", "column", "cell"), CELLS)
async def test_who_may_do_what(stage: Stage, name: str, column: str, cell: str) -> None:
    if cell == "no offer":
        with pytest.raises(PlaygroundError) as client:
            await ACTS[name](stage, PEOPLE[column])
        assert client.value.code in NO_OFFER
    else:
        refused = await ACTS[name](stage, PEOPLE[column])
        assert refused == (None if cell == "yes" else refusal_sentence(cell, {}))


def test_every_row_is_an_act_and_every_column_a_person() -> None:
    assert [row[0] for row in ROWS] == list(ACTS)
    assert HEAD[1:] == list(PEOPLE)


# Commands


@act("/img2img")
async def img2img(stage: Stage, person: Person) -> str | None:
    options = {"image": CAT, "prompt": "a cat", "steps": 2}
    asked = await stage.bot.client.command("img2img", options, member=person.member, channel=person.channel)
    return await stage.painted(person, asked.response)


@act("/img2img, models completed")
async def complete(stage: Stage, person: Person) -> str | None:
    client = stage.bot.client
    choices = await client.autocomplete("img2img", "model", "dem", member=person.member, channel=person.channel)
    return None if [choice["value"] for choice in choices] == ["demo"] else f"was offered {choices}"


def command(name: str, expected: str, /, *, undo: str | None = None, **options: str | float | Path) -> None:
    """Make a row of a command that answers the person alone; ``undo`` is how the operator takes it back."""

    async def run(stage: Stage, person: Person) -> str | None:
        root, *_ = name.removeprefix("/").removesuffix(", to all").split()
        client = stage.bot.client
        await client.set_command_access(root, everybody=name.endswith(", to all"))
        try:
            words = name.removeprefix("/").removesuffix(", to all")
            answer = await client.command(words, options, member=person.member, channel=person.channel)
            return unless(expected, first_line(await stage.bot.told_at_last(answer)))
        finally:
            await client.set_command_access(root, everybody=False)
            if undo is not None:
                await stage.operator(undo)

    act(name)(run)


command("/queue", "running")
command("/help", "I paint new pictures over yours")
command("/preferences show", "What holds here")
command("/preferences set", "What holds here", count=1)
command("/preferences reset", "What holds here")
command("/privacy show", "What I keep about you")
command("/privacy remixing", "What I keep about you", state="on")
command("/privacy delete", "Deleted", what="preferences")
for given in ("", ", to all"):
    command(f"/defaults show{given}", "What holds here")
    command(f"/defaults set{given}", "What holds here", where="channel", count=1)
    command(f"/defaults reset{given}", "What holds here", where="channel")
for given in ("", ", to all"):
    command(f"/limits show{given}", "Limits by role")
    command(f"/limits set{given}", "Limits by role", role="@everyone", daily_budget=0)
    command(f"/limits reset{given}", "Limits by role", role="@everyone")
    command(f"/moderation policy show{given}", "What holds for pictures")
    command(f"/moderation policy set{given}", "What holds for pictures", spoiler=0.6)
    command(f"/moderation test{given}", "Found: ", prompt="a cat")
    command(f"/moderation log{given}", "What holds for pictures")
    command(f"/moderation audit{given}", "What was decided here")
    command(f"/moderation reports{given}", "eport")
    command(f"/moderation block add{given}", "Blocked members", member=BLOCKED)
    command(f"/moderation block remove{given}", "not on the list", member="Margaret")
    command(f"/moderation block list{given}", "Blocked members")
    command(f"/moderation terms add{given}", "Words", term="quincunx")
    command(f"/moderation terms remove{given}", "not on the list", term="no such word")
    command(f"/moderation terms list{given}", "Words")
    command(f"/moderation pictures add{given}", "Pictures", picture=DRAWING)
    command(f"/moderation pictures remove{given}", "not on the list", picture="f" * 16)
    command(f"/moderation pictures list{given}", "ictures")
for given in ("", ", to all"):
    command(f"/operator pause{given}", "Paused", undo="resume")
    command(f"/operator resume{given}", "Going on")
    command(f"/operator drain{given}", "Draining", undo="resume")
    command(f"/operator model{given}", "until the next start", name="demo")
    command(f"/operator delete{given}", "Deleted", job="0" * 20)


# The menu, buttons and forms


@act("menu Remix, its form")
async def remix(stage: Stage, person: Person) -> str | None:
    posted = await stage.bot.client.say("look", files=[CAT], member=REQUESTER, channel=person.channel)
    form = await stage.bot.client.message_command("Remix", posted.id, member=person.member)
    return await send_form(stage, person, form)


@act("button Again")
async def again(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    pressed = await stage.bot.client.press(result.id, "Again", member=person.member)
    return await stage.painted(person, pressed.response)


@act("button Edit, its form")
async def edit(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    return await send_form(stage, person, await stage.bot.client.press(result.id, "Edit", member=person.member))


@act("button Use as input, its form")
async def use_as_input(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    form = await stage.bot.client.press(result.id, "Use as input", member=person.member)
    return await send_form(stage, person, form)


@act("a form the requester opened")
async def foreign_form(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    form = await stage.bot.client.press(result.id, "Edit", member=REQUESTER)
    return await send_form(stage, person, form)


async def send_form(stage: Stage, person: Person, form: Interaction) -> str | None:
    if form.modal is None:
        return first_line(told(form))
    values = {"prompt": "a dog", "more": "steps 2"}
    sent = await stage.bot.client.submit_modal(form, values, member=person.member)
    return await stage.painted(person, sent.response)


@act("button Delete")
async def delete(stage: Stage, person: Person) -> str | None:
    result = await stage.bot.result_of(await stage.asked(person.channel))
    pressed = await stage.bot.client.press(result.id, "Delete", member=person.member)
    if pressed.response is not None and pressed.ephemeral:
        assert not (await stage.bot.client.message(result.id)).deleted
        return first_line(told(pressed))
    await stage.bot.client.wait_for_edit(result.id, lambda message: message.deleted)
    return None


@act("button Cancel")
async def cancel(stage: Stage, person: Person) -> str | None:
    await stage.operator("pause")
    try:
        status = await stage.bot.status_with(await stage.asked(person.channel), "Queued")
        pressed = await stage.bot.client.press(status.id, "Cancel", member=person.member)
        if pressed.response is not None and pressed.ephemeral:
            await stage.bot.client.press(status.id, "Cancel", member=REQUESTER)
            await stage.bot.status_with(status, "Cancelled")
            return first_line(told(pressed))
        await stage.bot.status_with(status, "Cancelled")
        return None
    finally:
        await stage.operator("resume")


@act("button Report")
async def report(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    return unless("🚩", told(await stage.bot.client.press(result.id, "Report", member=person.member)))


async def take_off_the_list(stage: Stage) -> None:
    """Let the requester's pictures be made again."""
    shown = await stage.bot.client.command("moderation pictures list", {}, member="Grace", channel=CHANNEL)
    assert shown.response is not None
    for beginning in shown.response.content.split("`")[1::2]:
        options = {"picture": beginning}
        await stage.bot.client.command("moderation pictures remove", options, member="Grace", channel=CHANNEL)


def moderators_button(label: str, done: str) -> None:
    """Make a row of a button under what moderators are told, in the place where they are told it."""

    async def run(stage: Stage, person: Person) -> str | None:
        client = stage.bot.client
        result = await stage.bot.result_of(await stage.asked(CHANNEL))
        await client.command("moderation log", {"channel": CHANNEL}, member="Grace", channel=CHANNEL)
        await client.press(result.id, "Report", member="Grace")
        notice = await client.wait_for_message(
            lambda message: message.content.startswith("🛡️") and result.id in message.content, channel=CHANNEL
        )
        await client.command("moderation log", {"nowhere": True}, member="Grace", channel=CHANNEL)
        pressed = await client.press(notice.id, label, member=person.member)
        if pressed.response is not None and pressed.ephemeral:
            return first_line(told(pressed))
        await client.wait_for_edit(notice.id, lambda message: done in message.content)
        await client.command("moderation block remove", {"member": REQUESTER}, member="Grace", channel=CHANNEL)
        await take_off_the_list(stage)
        return None

    act(f"button {label}, of moderators")(run)


moderators_button("Spoiler", "Hidden by")
moderators_button("List picture", "Listed by")
moderators_button("Delete", "Deleted by")
moderators_button("Block", "Blocked by")


# Messages that are deleted


@act("delete the request")
async def delete_request(stage: Stage, person: Person) -> str | None:
    await stage.operator("pause")
    try:
        asked = await say(stage, Person(REQUESTER, person.channel), "a cat, steps 2", with_picture=True)
        status = await stage.bot.status_with(await stage.bot.answer_to(asked), "Queued")
        try:
            await stage.bot.client.delete_message(asked.id, member=person.member)
        except PlaygroundError:
            await stage.bot.client.delete_message(asked.id, member=REQUESTER)
            raise
        finally:
            await stage.bot.status_with(status, "Cancelled")
        return None
    finally:
        await stage.operator("resume")


@act("delete the status")
async def delete_status(stage: Stage, person: Person) -> str | None:
    await stage.operator("pause")
    try:
        status = await stage.bot.status_with(await stage.asked(person.channel), "Queued")
        try:
            await stage.bot.client.delete_message(status.id, member=person.member)
        except PlaygroundError:
            await stage.bot.client.press(status.id, "Cancel", member=REQUESTER)
            raise
    finally:
        await stage.operator("resume")
    after = await stage.bot.result_of(await stage.asked(person.channel))
    assert after.attachments  # painted after what was deleted, which was not
    assert await stage.bot.results(status) == []
    return None


@act("delete the result")
async def delete_result(stage: Stage, person: Person) -> str | None:
    result = await stage.bot.result_of(await stage.asked(person.channel))
    form = await stage.bot.client.press(result.id, "Use as input", member=person.member)
    await stage.bot.client.delete_message(result.id, member=person.member)
    sent = await stage.bot.client.submit_modal(form, {"prompt": "a dog"}, member=person.member)
    assert first_line(told(sent)) == refusal_sentence("result_gone", {})
    return None


# Messages and replies


@act("mention with a picture")
async def mention(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "a cat, steps 2", with_picture=True)
    return await stage.painted(person, await stage.bot.answer_to(said))


@act("mention alone")
async def mention_alone(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "" if person.bots_name else "@Palimpsest")
    return unless("I paint new pictures over yours", first_line((await stage.bot.answer_to(said)).content))


@act("reply with words to a result")
async def reply_with_words(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "a dog, steps 2", reply_to=(await stage.result(person.channel)).id)
    return await stage.painted(person, await stage.bot.answer_to(said))


@act("reply with numbers to a result")
async def reply_with_numbers(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "strength 0.3", reply_to=(await stage.result(person.channel)).id)
    return await stage.painted(person, await stage.bot.answer_to(said))


@act("reply to a posted picture")
async def reply_to_a_picture(stage: Stage, person: Person) -> str | None:
    posted = await stage.bot.client.say("look", files=[CAT], member=REQUESTER, channel=person.channel)
    said = await say(stage, person, "a dog, steps 2", reply_to=posted.id)
    return await stage.painted(person, await stage.bot.answer_to(said))


async def say(
    stage: Stage, person: Person, text: str, *, reply_to: str | None = None, with_picture: bool = False
) -> Message:
    return await stage.bot.client.say(
        f"{person.bots_name}{text}".strip(),
        member=person.member,
        channel=person.channel,
        reply_to=reply_to,
        files=[CAT] if with_picture else [],
    )
