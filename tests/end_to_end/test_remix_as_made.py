"""Remix starts with how a picture was made if its file says so, and as usual if not."""

import io

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from playground.client import Interaction
from playground.faults import FaultAction
from tests.end_to_end.bot_process import PHOTOGRAPHS, BotProcess, told

MADE = """a castle, (golden:1.2) light
Negative prompt: trees: many, blurry
Steps: 5, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 77, Size: 96x64, Model: v1-5-pruned, \
Denoising strength: 0.45, Version: v1.10.1"""
NOTHING = {"prompt": None, "strength": None, "seed": None, "more": None}
AS_MADE = {
    "prompt": "a castle, (golden:1.2) light",
    "strength": "0.45",
    "seed": None,
    "more": "guidance 6.5, steps 5, size 78, sampler: dpm++2m-karras, negative: trees: many, blurry",
}


def photograph(format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    with Image.open(PHOTOGRAPHS / "cat.jpg") as picture:
        picture.resize((640, 480)).save(file, format_name, **options)
    return file.getvalue()


def as_png(text: str = MADE) -> bytes:
    info = PngInfo()
    info.add_text("parameters", text)
    return photograph("PNG", pnginfo=info)


def comment() -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + MADE.encode("utf-16-be")
    return exif


def shown(form: Interaction) -> dict[str, str | None]:
    """Return the prefilled values of a form."""
    assert form.modal is not None, form
    fields = [each["component"] for each in form.modal["components"]]
    return {field["custom_id"]: field.get("value") for field in fields}


async def form_of(bot: BotProcess, data: bytes, name: str = "a.png", channel: str = "general") -> Interaction:
    theirs = await bot.client.say("look", files=[(name, data)], member="Linus", channel=channel)
    return await bot.client.message_command("Remix", theirs.id)


async def test_what_another_program_wrote_is_shown_and_painted(bot: BotProcess) -> None:
    form = await form_of(bot, as_png())
    assert shown(form) == AS_MADE
    sent = await bot.client.submit_modal(form, {})
    assert sent.response is not None
    made = await bot.result_of(sent.response)
    for part in ("a castle", "strength 0.45", "5 steps", "without: trees: many", "DPM++ 2M Karras"):
        assert part in made.content
    assert "`77`" not in made.content  # the noise of its seed is not added to it again
    assert "castle" not in bot.log
    assert "trees" not in bot.log


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
async def test_a_comment_in_exif_says_the_same(bot: BotProcess, format_name: str) -> None:
    data = photograph(format_name, exif=comment(), **({"lossless": True} if format_name == "WEBP" else {}))
    assert format_name == "JPEG" or data.index(b"EXIF") > 128 * 1024  # after the pixels, outside the first part
    assert shown(await form_of(bot, data, f"a.{format_name.lower()}")) == AS_MADE


async def test_a_result_begins_with_its_own_settings_for_whoever_posts_it(bot: BotProcess) -> None:
    made = await bot.result_of(
        await bot.img2img(prompt="a dog", seed=9, steps=6, strength=0.5, sampler="euler", negative_prompt="snow")
    )
    form = await bot.client.message_command("Remix", made.id, member="Linus")
    as_made = shown(form)
    assert as_made == {
        "prompt": "a dog",
        "strength": "0.5",
        "seed": None,
        "more": "guidance 4, steps 6, size 79, model: demo, sampler: euler, negative: snow",
    }
    copy = shown(await form_of(bot, await bot.client.download(made.attachments[0].url)))
    assert copy | {"more": as_made["more"]} == as_made
    assert copy["more"] is not None
    assert copy["more"].startswith("guidance 4, steps 6, size 7")  # the generated picture has slightly fewer pixels
    assert copy["more"].endswith(", model: demo, sampler: euler, negative: snow")


async def test_what_is_taken_out_of_the_form_is_decided_as_ever(bot: BotProcess) -> None:
    form = await form_of(bot, as_png())
    sent = await bot.client.submit_modal(form, {"prompt": "a fox", "strength": "", "seed": "", "more": "steps 4"})
    assert sent.response is not None
    content = (await bot.result_of(sent.response)).content
    assert "a fox" in content
    for part in ("`77`", "strength 0.45", "without", "DPM++"):
        assert part not in content


async def test_the_limits_of_the_place_hold_and_what_is_typed_comes_back(bot: BotProcess) -> None:
    await bot.client.add_channel("gentle")
    limits = {"where": "channel", "max_strength": 0.3}
    await bot.client.command("defaults set", limits, member="Grace", channel="gentle")
    form = await form_of(bot, as_png(), channel="gentle")
    assert shown(form) == AS_MADE | {"strength": "0.3"}
    refused = await bot.client.submit_modal(form, {"strength": "0.9"})
    assert "limit for strength here is 0.3" in told(refused)
    assert refused.response is not None
    again = await bot.client.press(refused.response.id, "Back to the form")
    assert shown(again) == AS_MADE | {"strength": "0.9"}


@pytest.mark.parametrize(
    "data",
    [
        photograph("PNG"),
        as_png()[:40],
        as_png("x" * 200_000 + MADE),
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 5000,
        b"a text",
    ],
    ids=["silent", "cut", "too long", "damaged", "no picture"],
)
async def test_a_file_that_says_nothing_opens_the_form_as_ever(bot: BotProcess, data: bytes) -> None:
    assert shown(await form_of(bot, data)) == NOTHING


@pytest.mark.parametrize("action", ["hang", "status", "reset"])
async def test_a_file_that_does_not_come_opens_the_form_as_ever(bot: BotProcess, action: FaultAction) -> None:
    fault = await bot.client.add_fault(r"^/attachments/.*/slow\.png$", method="GET", action=action, times=None)
    form = await form_of(bot, as_png(), "slow.png")
    await bot.client.clear_faults(fault)
    assert shown(form) == NOTHING
    sent = await bot.client.submit_modal(form, {"prompt": "a castle", "more": "steps 4"})
    assert sent.response is not None
    assert (await bot.result_of(sent.response)).attachments
