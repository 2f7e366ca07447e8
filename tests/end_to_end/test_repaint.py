"""A picture with transparent parts: they are white, or they alone are repainted and the rest is kept."""

import io
from typing import Any

from PIL import Image, ImageChops

from bot.replies import refusal_sentence
from generation.images.metadata import read_parameters
from playground.client import Message
from tests.end_to_end.bot_process import CAT, BotProcess, told

HINT = "Your picture has transparent parts"
NUMBERS = {"steps": 4, "count": 1}


def cut_out() -> bytes:
    """Return the cat without the right half."""
    with Image.open(CAT) as opened:
        image = opened.convert("RGB")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (image.width // 2, 0, image.width, image.height))
    image.putalpha(alpha)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


async def picture_of(bot: BotProcess, result: Message) -> tuple[Image.Image, dict[str, Any]]:
    data = await bot.client.download(result.attachments[0].url)
    parameters = read_parameters(data)
    assert parameters is not None
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB"), parameters


def has_kept_the_left_half(image: Image.Image) -> bool:
    with Image.open(CAT) as opened:
        sent_in = opened.convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
    left = (8, 8, image.width // 2 - 40, image.height - 8)
    difference = ImageChops.difference(image.crop(left), sent_in.crop(left)).convert("L")
    return sum(difference.tobytes()) / len(difference.tobytes()) < 8  # trimmed a little, to a size that is painted


async def test_only_what_is_transparent_is_repainted_and_a_reply_does_so_again(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(cut_out(), "a dog", repaint="transparent", seed=5, **NUMBERS))
    assert "strength 1 · " in result.content
    assert "transparent parts only" in result.content
    assert HINT not in result.content
    image, parameters = await picture_of(bot, result)
    assert has_kept_the_left_half(image)
    assert parameters["repaint"] == "transparent"

    asked = await bot.client.say("a castle", reply_to=result.id)  # of the same picture: the result has no such parts
    other = await bot.result_of(await bot.answer_to(asked))
    assert "transparent parts only" in other.content
    assert "Painted over" not in other.content
    again, _ = await picture_of(bot, other)
    assert has_kept_the_left_half(again)
    assert ImageChops.difference(again, image).getbbox() is not None

    asked = await bot.client.say("a castle, repaint: all", reply_to=result.id)
    whole = await bot.result_of(await bot.answer_to(asked))
    assert "transparent parts only" not in whole.content
    assert "Painted over" in whole.content


async def test_who_names_one_of_several_results_means_all_of_it(bot: BotProcess) -> None:
    several = await bot.result_of(await bot.img2img(cut_out(), "a dog", repaint="transparent", steps=4, count=2))
    asked = await bot.client.say("picture 2, a castle, count 1", reply_to=several.id)
    whole = await bot.result_of(await bot.answer_to(asked))
    assert "**a castle**" in whole.content
    assert "Painted over" in whole.content
    assert "transparent parts only" not in whole.content
    assert "strength 1 · " not in whole.content
    asked = await bot.client.say("picture 2, a castle, count 1, repaint: transparent", reply_to=several.id)
    parts = await bot.result_of(await bot.answer_to(asked))
    assert "**a castle**" in parts.content
    assert "transparent parts only" in parts.content


async def test_who_did_not_ask_for_it_is_told_and_can_reply(bot: BotProcess) -> None:
    asked = await bot.client.say("@Palimpsest a dog, steps 4", files=[("cut.png", cut_out())])
    result = await bot.result_of(await bot.answer_to(asked))
    assert HINT in result.content
    assert "`repaint: transparent`" in result.content
    asked = await bot.client.say("repaint: transparent", reply_to=result.id)
    part = await bot.result_of(await bot.answer_to(asked))
    assert "strength 1 · " in part.content
    assert has_kept_the_left_half((await picture_of(bot, part))[0])


async def test_forms_show_it(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(cut_out(), "a dog", repaint="transparent", **NUMBERS))
    form = await bot.client.press(result.id, "Edit")
    assert form.modal is not None
    shown = {each["component"]["custom_id"]: each["component"].get("value") for each in form.modal["components"]}
    assert "repaint: transparent" in shown["more"]
    sent = await bot.client.submit_modal(form, {"prompt": "a castle"})
    assert sent.response is not None
    assert "transparent parts only" in (await bot.result_of(sent.response)).content
    form = await bot.client.press(result.id, "Edit")
    sent = await bot.client.submit_modal(form, {"more": "steps 4"})
    assert sent.response is not None
    whole = await bot.result_of(sent.response)
    assert "transparent parts only" not in whole.content
    assert "strength 1 · " not in whole.content  # it was for the parts
    form = await bot.client.press(result.id, "Use as input")
    assert form.modal is not None
    shown = {each["component"]["custom_id"]: each["component"].get("value") for each in form.modal["components"]}
    assert "repaint" not in (shown["more"] or "")
    assert shown["strength"] is None


def mask(size: tuple[int, int] = (225, 150)) -> bytes:
    """Return a mask, half as large as the cat, that marks the right half."""
    image = Image.new("L", size, 0)
    image.paste(255, (size[0] // 2, 0, *size))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


async def test_what_a_mask_marks_is_repainted_again_and_again(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(CAT, "a dog", mask=mask(), seed=5, **NUMBERS))
    assert "strength 1 · " in result.content
    assert "masked parts only" in result.content
    assert "left out" not in result.content
    image, parameters = await picture_of(bot, result)
    assert has_kept_the_left_half(image)
    assert (parameters["repaint"], parameters["transparent"]) == ("transparent", False)
    pressed = await bot.client.press(result.id, "Again")
    assert pressed.response is not None
    again, _ = await picture_of(bot, await bot.result_of(pressed.response))
    assert has_kept_the_left_half(again)
    assert ImageChops.difference(again, image).getbbox() is not None
    asked = await bot.client.say("a castle, strength 0.5", reply_to=result.id)
    other = await bot.result_of(await bot.answer_to(asked))
    assert "masked parts only" in other.content
    assert has_kept_the_left_half((await picture_of(bot, other))[0])
    asked = await bot.client.say("repaint: all", reply_to=result.id)  # the mask has cost no colours
    whole = await bot.result_of(await bot.answer_to(asked))
    assert "parts only" not in whole.content
    assert HINT not in whole.content


async def test_the_second_picture_of_a_message_can_be_the_mask(bot: BotProcess) -> None:
    files = [("cat.jpg", CAT.read_bytes()), ("mask.png", mask())]
    asked = await bot.client.say("@Palimpsest a dog, repaint: mask, steps 4", files=files)
    result = await bot.result_of(await bot.answer_to(asked))
    assert "masked parts only" in result.content
    assert "left out" not in result.content
    assert has_kept_the_left_half((await picture_of(bot, result))[0])
    asked = await bot.client.say("@Palimpsest a dog, repaint: mask", files=files[:1])
    assert refusal_sentence("no_mask", {}) in (await bot.answer_to(asked)).content


async def test_a_mask_that_does_not_fit_is_said_and_a_reply_with_both_pictures_goes_on(bot: BotProcess) -> None:
    status = await bot.img2img(CAT, "a dog", mask=mask((200, 200)), **NUMBERS)
    ended = await bot.status_with(status, "which isn't the same shape")
    assert "451 × 300" in ended.content
    assert "200 × 200" in ended.content
    assert "> a dog" in ended.content
    assert "your picture and then its mask" in ended.content
    files = [("cat.jpg", CAT.read_bytes()), ("mask.png", mask())]
    asked = await bot.client.say("@Palimpsest", files=files, reply_to=status.id)
    result = await bot.result_of(await bot.answer_to(asked))
    assert "**a dog**" in result.content
    assert "masked parts only" in result.content
    asked = await bot.client.say("@Palimpsest", files=files[:1], reply_to=status.id)
    assert refusal_sentence("no_mask", {}) in (await bot.answer_to(asked)).content


async def test_a_mask_and_everything_are_not_asked_for_together(bot: BotProcess) -> None:
    options = {"image": CAT, "prompt": "a dog", "mask": mask(), "repaint": "all", "steps": 4}
    refused = await bot.client.command("img2img", options)
    assert refusal_sentence("mask_and_all", {}) in told(refused)
    assert refused.response is not None
    form = await bot.client.press(refused.response.id, "Back to the form")
    sent = await bot.client.submit_modal(form, {})  # it proposes the mask, which is not sent again
    assert sent.response is not None
    result = await bot.result_of(sent.response)
    assert "masked parts only" in result.content
    assert has_kept_the_left_half((await picture_of(bot, result))[0])
    refused = await bot.client.command("img2img", options)
    assert refused.response is not None
    form = await bot.client.press(refused.response.id, "Back to the form")
    sent = await bot.client.submit_modal(form, {"more": "repaint: all, steps 4"})
    assert sent.response is not None
    whole = await bot.result_of(sent.response)
    assert "parts only" not in whole.content
    assert "left out 1 more" in whole.content


async def test_over_another_picture_it_repaints_what_is_transparent_there_or_all_of_it(bot: BotProcess) -> None:
    status = await bot.img2img(cut_out(), "a dog", repaint="transparent", **NUMBERS)
    result = await bot.result_of(status)
    asked = await bot.client.say("", reply_to=result.id, files=[CAT])
    whole = await bot.result_of(await bot.answer_to(asked))
    assert "**a dog**" in whole.content
    assert "parts only" not in whole.content
    assert "strength 1 · " not in whole.content
    asked = await bot.client.say("", reply_to=result.id, files=[("cut.png", cut_out())])
    parts = await bot.result_of(await bot.answer_to(asked))
    assert "**a dog**" in parts.content
    assert "transparent parts only" in parts.content
    assert "strength 1 · " in parts.content


async def test_a_rung_for_the_parts_is_not_the_strength_for_all_of_a_result(bot: BotProcess) -> None:
    options = {"ladder": True, "count": 2, "steps": 4}
    ladder = await bot.result_of(await bot.img2img(cut_out(), "a dog", repaint="transparent", **options))
    assert "strength 0.3 / 0.75 · " in ladder.content
    form = await bot.client.press(ladder.id, "Use as input")
    sent = await bot.client.submit_modal(form, {"prompt": "a castle", "picture": ["1"], "more": "steps 4"})
    assert sent.response is not None
    assert "strength 0.3 · " not in (await bot.result_of(sent.response)).content


async def test_a_picture_without_such_parts_is_said(bot: BotProcess) -> None:
    status = await bot.img2img(CAT, "a dog", repaint="transparent", **NUMBERS)
    ended = await bot.status_with(status, "no transparent parts")
    assert "repaint everything" in ended.content
