"""Again, Delete and Cancel: who can use them, and that they work."""

import io

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.replies import refusal_sentence
from playground.client import Message, PlaygroundError
from tests.end_to_end.bot_process import CAT, BotProcess, told


async def delivered(bot: BotProcess) -> Message:
    return await bot.result_of(await bot.img2img(seed=21, steps=4))


async def test_again_paints_with_a_new_seed_for_whoever_asks(bot: BotProcess) -> None:
    first = await delivered(bot)
    pressed = await bot.client.press(first.id, "Again", member="Linus")
    assert pressed.response is not None
    second = await bot.result_of(pressed.response)
    assert second.mentions == ["Linus"]
    assert "a cat on a beach" in second.content
    assert "`21`" not in second.content


async def test_delete_is_for_the_requester_and_moderators(bot: BotProcess) -> None:
    result = await delivered(bot)
    await bot.client.press(result.id, "Report", member="Linus")
    refused = await bot.client.press(result.id, "Delete", member="Linus")
    assert "Only the person" in told(refused)
    assert not (await bot.client.message(result.id)).deleted
    await bot.client.press(result.id, "Delete", member="Grace")
    assert (await bot.client.wait_for_edit(result.id, lambda message: message.deleted)).deleted
    assert result.reference is not None
    status = await bot.client.wait_for_edit(result.reference.message_id, lambda message: "deleted" in message.content)
    assert "http" not in status.content
    reference = result.components_flat()[0]["custom_id"][-8:]
    decided = rf"<@\d+> deleted a result \(for <@\d+>\) · {reference}"
    await bot.wait_until_command_says("moderation audit", decided, member="Grace")
    assert result.id not in told(await bot.client.command("moderation reports", {}, member="Grace"))


async def test_delete_takes_the_kept_picture_along(bot: BotProcess) -> None:
    first = await delivered(bot)
    job_id = first.components_flat()[0]["custom_id"].partition(":")[2]
    assert (bot.data_dir / "spool" / job_id / "input.png").exists()
    await bot.client.press(first.id, "Delete")
    await bot.client.wait_for_edit(first.id, lambda message: message.deleted)
    second = await delivered(bot)
    assert second
    assert not (bot.data_dir / "spool" / job_id).exists()


async def test_cancel_while_running(bot: BotProcess) -> None:
    with bot.held():
        status = await bot.img2img(steps=4, strength=1.0)
        await bot.status_with(status, "1/4")
        refused = await bot.client.press(status.id, "Cancel", member="Linus")
        assert refused.ephemeral
        await bot.client.press(status.id, "Cancel")
        cancelled = await bot.status_with(status, "Cancelled")
    assert cancelled.labels() == []
    assert await bot.results(status) == []
    assert (await delivered(bot)).attachments  # the next job runs


@pytest.mark.parametrize("way", ["command", "message"])
async def test_cancel_while_the_picture_is_taken_in(bot: BotProcess, way: str) -> None:
    fault = await bot.client.add_fault(r"attachments/", method="GET", action="hang", times=None)
    try:
        if way == "command":
            status = await bot.img2img(steps=4)
        else:
            status = await bot.answer_to(await bot.client.say("@Palimpsest a cat", files=[CAT]))
        await bot.client.wait_for_fault(fault)
        assert "Fetching your picture" in status.content
        await bot.client.press(status.id, "Cancel")
        cancelled = await bot.status_with(status, "Cancelled")
    finally:
        await bot.client.clear_faults(fault)
    assert cancelled.labels() == []
    assert (await delivered(bot)).attachments  # the next job runs
    assert await bot.results(status) == []


async def test_cancel_while_waiting(bot: BotProcess) -> None:
    with bot.held():
        running = await bot.img2img(steps=4)
        await bot.status_with(running, "Painting")
        waiting = await bot.img2img(member="Linus", steps=4)
        queued = await bot.status_with(waiting, "Queued")
        assert queued.labels() == ["Cancel"]
        await bot.client.press(waiting.id, "Cancel", member="Linus")
        await bot.status_with(waiting, "Cancelled")
        await bot.client.press(running.id, "Cancel")
        await bot.status_with(running, "Cancelled")
    assert await bot.results(waiting) == []
    with pytest.raises(PlaygroundError):  # the button is gone with the job
        await bot.client.press(waiting.id, "Cancel", member="Linus")


async def test_members_take_turns(bot: BotProcess) -> None:
    """Noor, third in line, is served before Rosa's second request, because Rosa was just served; both are new."""
    for name in ("Rosa", "Noor"):
        await bot.client.add_member(name)
    with bot.held():
        first = await bot.img2img(member="Rosa", steps=4)
        await bot.status_with(first, "Painting")
        second = await bot.img2img(member="Rosa", steps=4)
        await bot.status_with(second, "Queued")
        third = await bot.img2img(member="Noor", steps=4)
        await bot.status_with(third, "Queued")
        await bot.client.press(first.id, "Cancel", member="Rosa")
        await bot.status_with(third, "Painting")
        assert "Queued" in (await bot.client.message(second.id)).content
    for status in (second, third):
        assert (await bot.result_of(status)).attachments


async def test_one_member_cannot_fill_the_queue(bot: BotProcess) -> None:
    await bot.client.command("operator pause", {}, member="Margaret")
    try:
        jobs = [await bot.img2img(member="Grace") for _ in range(5)]
        refused = await bot.client.command("img2img", {"image": b"x", "prompt": "one more"}, member="Grace")
        assert refused.response is not None
        assert refused.ephemeral, refused.response.content
        assert "You already have 5 requests in the queue" in refused.response.content
        for job in jobs:
            shown = await bot.client.wait_for_edit(job.id, lambda message: "Cancel" in message.labels())
            await bot.client.press(shown.id, "Cancel", member="Grace")
            await bot.status_with(job, "Cancelled")
    finally:
        await bot.client.command("operator resume", {}, member="Margaret")


async def test_a_form_that_is_refused_comes_back_as_it_was_typed(bot: BotProcess) -> None:
    several = await bot.result_of(await bot.img2img(count=2, steps=4))
    form = await bot.client.press(several.id, "Use as input")
    typed: dict[str, str | list[str]] = {"prompt": "a dog", "strength": "much", "more": "steps 4", "picture": ["2"]}
    refused = await bot.client.submit_modal(form, typed)
    assert "I don't understand `strength much`" in told(refused)
    assert refused.response is not None
    assert refused.response.labels() == ["Back to the form"]
    again = await bot.client.press(refused.response.id, "Back to the form")
    assert again.modal is not None
    shown = {each["component"]["custom_id"]: each["component"] for each in again.modal["components"]}
    assert [shown[name]["value"] for name in ("prompt", "strength", "more")] == ["a dog", "much", "steps 4"]
    assert [option["default"] for option in shown["picture"]["options"]] == [False, True]
    sent = await bot.client.submit_modal(again, {"strength": "0.7"})
    assert sent.response is not None
    made = await bot.result_of(sent.response)
    assert "strength 0.7" in made.content
    assert "4 steps" in made.content
    newer = await bot.client.press(several.id, "Edit")
    refused_again = await bot.client.submit_modal(newer, {"seed": "mine"})
    assert refused_again.response is not None
    outdated = await bot.client.press(refused.response.id, "Back to the form")
    assert refusal_sentence("form_expired", {}) in told(outdated)


async def test_who_may_not_write_in_a_channel_gets_nothing_written_there(bot: BotProcess) -> None:
    await bot.client.add_channel("showcase")
    result = await bot.result_of(await bot.img2img(channel="showcase", steps=2))
    form = await bot.client.press(result.id, "Edit", member="Linus")
    await bot.client.set_permissions("showcase", deny=["SEND_MESSAGES"], target="Linus")
    refusal = refusal_sentence("may_not_write", {})
    assert told(await bot.client.submit_modal(form, {"prompt": "read me"}, member="Linus")).startswith(refusal)
    for label in ("Again", "Edit", "Use as input", "Strengths"):
        assert told(await bot.client.press(result.id, label, member="Linus")).startswith(refusal), label
    assert told(await bot.client.message_command("Remix", result.id, member="Linus")).startswith(refusal)
    again = await bot.client.press(result.id, "Again")
    assert again.response is not None
    assert (await bot.result_of(again.response)).mentions == ["Ada"]


async def test_a_command_that_is_refused_goes_on_in_a_form_with_its_picture(bot: BotProcess) -> None:
    options = {"image": CAT, "prompt": "a dog", "strength": 0.5, "seed": 7, "steps": 4, "count": 9}
    refused = await bot.client.command("img2img", options)
    assert "limit for count here is 4" in told(refused)
    assert refused.response is not None
    form = await bot.client.press(refused.response.id, "Back to the form")
    assert form.modal is not None
    shown = {each["component"]["custom_id"]: each["component"]["value"] for each in form.modal["components"]}
    assert shown == {"prompt": "a dog", "strength": "0.5", "seed": "7", "more": "steps 4, count 9"}
    sent = await bot.client.submit_modal(form, {"more": "steps 4, count 1"})
    assert sent.response is not None
    made = await bot.result_of(sent.response)
    for part in ("a dog", "`7`", "strength 0.5"):
        assert part in made.content


async def test_the_picture_that_was_sent_in_is_shown_beside_the_result(bot: BotProcess) -> None:
    result = await delivered(bot)
    await bot.client.press(result.id, "Before/after")
    both = await bot.client.wait_for_edit(result.id, lambda message: len(message.attachments) == 2)
    assert both.attachments[0].filename == result.attachments[0].filename
    assert both.attachments[1].description == "The picture that the result was painted over"
    data = await bot.client.download(both.attachments[1].url)
    with Image.open(io.BytesIO(data)) as shown, Image.open(CAT) as sent:
        assert shown.size == sent.size
        assert not shown.getexif()
        near = ImageChops.difference(shown.convert("RGB"), sent.convert("RGB"))
    assert max(ImageStat.Stat(near).mean) < 1
    assert (both.content, both.labels()) == (result.content, result.labels())
    refused = await bot.client.press(result.id, "Before/after", member="Grace")
    assert told(refused) == refusal_sentence("not_yours_to_show", {})
    form = await bot.client.press(result.id, "Use as input")
    assert form.modal is not None
    assert "picture" not in str([each["component"]["custom_id"] for each in form.modal["components"]])
    sent = await bot.client.submit_modal(await bot.client.message_command("Remix", result.id), {"prompt": "a fox"})
    assert sent.response is not None
    assert "the first of" not in (await bot.result_of(sent.response)).content
    await bot.client.press(result.id, "Before/after")
    alone = await bot.client.wait_for_edit(result.id, lambda message: len(message.attachments) == 1)
    assert [each.filename for each in alone.attachments] == [result.attachments[0].filename]


async def test_the_input_of_another_member_is_not_shown(bot: BotProcess) -> None:
    theirs = await delivered(bot)
    pressed = await bot.client.press(theirs.id, "Again", member="Linus")
    assert pressed.response is not None
    again = await bot.result_of(pressed.response)
    assert "Before/after" not in again.labels()
    own = await bot.client.press(theirs.id, "Again")
    assert own.response is not None
    assert "Before/after" in (await bot.result_of(own.response)).labels()


async def test_an_input_that_discord_finds_too_large_is_not_shown_and_it_says_why(bot: BotProcess) -> None:
    result = await delivered(bot)
    await bot.client.add_fault(r"/channels/\d+/messages/\d+$", method="PATCH", status=413, times=1)
    pressed = await bot.client.press(result.id, "Before/after")
    answered = await bot.client.wait_for_interaction(pressed.id, lambda each: each.followups != [])
    assert answered.followups[0].content == refusal_sentence("upload_too_large", {})
    assert len((await bot.client.message(result.id)).attachments) == 1
