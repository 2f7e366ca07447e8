"""Actions on pictures: requests, buttons, messages, deletions."""

from bot.replies import refusal_sentence
from playground.client import Interaction, Message, PlaygroundError
from tests.end_to_end.bot_process import CAT, told
from tests.end_to_end.permissions.stage import CHANNEL, REQUESTER, Acts, Person, Stage, first_line, unless

ACTS = Acts()


@ACTS.of("ask for a picture", "/img2img")
async def img2img(stage: Stage, person: Person) -> str | None:
    options = {"image": CAT, "prompt": "a cat", "steps": 2}
    asked = await stage.bot.client.command("img2img", options, member=person.member, channel=person.channel)
    return await stage.painted(person, asked.response)


# Context menu, buttons and forms


@ACTS.of("ask for a picture", "menu Remix, its form")
async def remix(stage: Stage, person: Person) -> str | None:
    posted = await stage.bot.client.say("look", files=[CAT], member=REQUESTER, channel=person.channel)
    form = await stage.bot.client.message_command("Remix", posted.id, member=person.member)
    return await send_form(stage, person, form)


@ACTS.of("ask for a picture", "button Again")
async def again(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    pressed = await stage.bot.client.press(result.id, "Again", member=person.member)
    return await stage.painted(person, pressed.response)


@ACTS.of("ask for a picture", "button Strengths")
async def strengths(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    pressed = await stage.bot.client.press(result.id, "Strengths", member=person.member)
    return await stage.painted(person, pressed.response)


@ACTS.of("ask for a picture", "button Edit, its form")
async def edit(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    return await send_form(stage, person, await stage.bot.client.press(result.id, "Edit", member=person.member))


@ACTS.of("ask for a picture", "button Use as input, its form")
async def use_as_input(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    form = await stage.bot.client.press(result.id, "Use as input", member=person.member)
    return await send_form(stage, person, form)


@ACTS.of("a form the requester opened")
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


@ACTS.of("button Delete")
async def delete(stage: Stage, person: Person) -> str | None:
    result = await stage.bot.result_of(await stage.asked(person.channel))
    pressed = await stage.bot.client.press(result.id, "Delete", member=person.member)
    if pressed.response is not None and pressed.ephemeral:
        assert not (await stage.bot.client.message(result.id)).deleted
        return first_line(told(pressed))
    await stage.bot.client.wait_for_edit(result.id, lambda message: message.deleted)
    return None


@ACTS.of("button Before/after")
async def before_after(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    pressed = await stage.bot.client.press(result.id, "Before/after", member=person.member)
    if pressed.response is not None and pressed.ephemeral:
        return first_line(told(pressed))
    await stage.bot.client.wait_for_edit(result.id, lambda message: len(message.attachments) == 2)
    await stage.bot.client.press(result.id, "Before/after", member=person.member)
    await stage.bot.client.wait_for_edit(result.id, lambda message: len(message.attachments) == 1)
    return None


@ACTS.of("button Cancel")
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


@ACTS.of("button Report")
async def report(stage: Stage, person: Person) -> str | None:
    result = await stage.result(person.channel)
    return unless("🚩", told(await stage.bot.client.press(result.id, "Report", member=person.member)))


async def take_off_the_list(stage: Stage) -> None:
    """Remove the requester's pictures from the server's list."""
    shown = await stage.bot.client.command("moderation pictures list", {}, member="Grace", channel=CHANNEL)
    assert shown.response is not None
    for beginning in shown.response.content.split("`")[1::2]:
        options = {"picture": beginning}
        await stage.bot.client.command("moderation pictures remove", options, member="Grace", channel=CHANNEL)


def moderators_button(label: str, done: str) -> None:
    """Add a row for a button under a notice to moderators, in the channel where they get it."""

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

    ACTS.of("buttons for moderators", f"button {label}, for moderators")(run)


moderators_button("Spoiler", "Hidden by")
moderators_button("List picture", "Listed by")
moderators_button("Delete", "Deleted by")
moderators_button("Block", "Blocked by")


# Deleted messages


@ACTS.of("delete the request")
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


@ACTS.of("delete a message of the bot's", "delete the status")
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
    assert after.attachments  # generated after the deleted request, which was not
    assert await stage.bot.results(status) == []
    return None


@ACTS.of("delete a message of the bot's", "delete the result")
async def delete_result(stage: Stage, person: Person) -> str | None:
    result = await stage.bot.result_of(await stage.asked(person.channel))
    form = await stage.bot.client.press(result.id, "Use as input", member=person.member)
    await stage.bot.client.delete_message(result.id, member=person.member)
    sent = await stage.bot.client.submit_modal(form, {"prompt": "a dog"}, member=person.member)
    assert first_line(told(sent)) == refusal_sentence("result_gone", {})
    return None


# Messages and replies


@ACTS.of("ask for a picture", "mention with a picture")
async def mention(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "a cat, steps 2", with_picture=True)
    return await stage.painted(person, await stage.bot.answer_to(said))


@ACTS.of("mention alone")
async def mention_alone(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "" if person.bots_name else "@Palimpsest")
    return unless("I paint new pictures over yours", first_line((await stage.bot.answer_to(said)).content))


@ACTS.of("ask for a picture", "reply with words to a result")
async def reply_with_words(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "a dog, steps 2", reply_to=(await stage.result(person.channel)).id)
    return await stage.painted(person, await stage.bot.answer_to(said))


@ACTS.of("ask for a picture", "reply with numbers to a result")
async def reply_with_numbers(stage: Stage, person: Person) -> str | None:
    said = await say(stage, person, "strength 0.3", reply_to=(await stage.result(person.channel)).id)
    return await stage.painted(person, await stage.bot.answer_to(said))


@ACTS.of("ask for a picture", "reply to a posted picture")
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
