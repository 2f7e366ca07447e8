"""``/img2img`` from the command to the picture: the unmodified bot, real sockets, the embedded model."""

import io
import re

import pytest
from PIL import Image

from generation.images.metadata import read_parameters
from playground.client import PlaygroundError
from tests.end_to_end.bot_process import CAT, PHOTOGRAPHS, BotProcess, told


async def test_a_photograph_becomes_a_picture_with_its_seed(bot: BotProcess) -> None:
    status = await bot.img2img(seed=11, strength=0.6, steps=10)
    assert status.content.startswith("📥")
    result = await bot.result_of(status)
    assert result.author_is_bot
    assert result.mentions == ["Ada"]
    assert "`11`" in result.content
    assert "demo model" in result.content
    (attachment,) = result.attachments
    assert attachment.description is not None
    assert "a cat on a beach" in attachment.description
    data = await bot.client.download(attachment.url)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        assert abs(picture.width / picture.height - 451 / 300) < 0.15
        assert 384 <= max(picture.size) <= 768
    parameters = read_parameters(data)
    assert parameters is not None
    assert (parameters["seed"], parameters["strength"], parameters["num_inference_steps"]) == (11, 0.6, 10)
    assert parameters["prompt"] == "a cat on a beach"
    done = await bot.status_with(status, "✅ Done")
    assert result.id in done.content
    assert "\n" not in done.content
    assert done.labels() == []
    assert result.labels() == ["Again", "Edit", "Use as input", "Strengths", "Before/after", "Delete", "Report"]
    sent = await bot.client.calls("POST", rf"/channels/{result_channel_id(done.content)}/messages")
    bodies = [call.body or {} for call in sent]
    answers = [body for body in bodies if (body.get("message_reference") or {}).get("message_id") == int(status.id)]
    assert len(answers) == 1
    assert re.fullmatch("[0-9A-Z]{20}", answers[0]["nonce"])


def result_channel_id(link_text: str) -> str:
    match = re.search(r"/channels/\d+/(\d+)/", link_text)
    assert match is not None
    return match[1]


async def test_nobody_is_offered_adapters_where_there_are_none(bot: BotProcess) -> None:
    for option in ({"adapter": "ink"}, {"adapter_weight": 0.5}):
        with pytest.raises(PlaygroundError) as refused:
            await bot.client.command("img2img", {"image": CAT, "prompt": "a fox", **option})
        assert "The command has no such option" in str(refused.value.errors)


async def test_the_same_seed_paints_the_same_picture(bot: BotProcess) -> None:
    pictures: list[bytes] = []
    for _ in range(2):
        result = await bot.result_of(await bot.img2img(seed=3, steps=6))
        data = await bot.client.download(result.attachments[0].url)
        with Image.open(io.BytesIO(data)) as picture:
            pictures.append(picture.tobytes())
    assert pictures[0] == pictures[1]


async def test_several_pictures_have_the_next_seeds(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(seed=2**32 - 1, count=3, steps=5))
    seeds: list[int] = []
    for attachment in result.attachments:
        parameters = read_parameters(await bot.client.download(attachment.url))
        assert parameters is not None
        seeds.append(parameters["seed"])
    assert seeds == [2**32 - 1, 0, 1]


async def test_a_spoiler_stays_one(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(filename="SPOILER_cat.jpg", steps=4))
    assert all(attachment.spoiler for attachment in result.attachments)


async def test_it_works_in_a_direct_message(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(channel="@Ada", steps=4))
    assert result.attachments


@pytest.mark.parametrize(
    ("data", "filename", "words"),
    [
        (b"", "empty.png", "empty"),
        (b"<html><body>not a picture</body></html>", "page.png", "web page"),
        (CAT.read_bytes()[:9000], "half.jpg", "damaged or incomplete"),
        (b"II*\x00" + bytes(100), "scan.tif", "TIFF"),
    ],
)
async def test_a_file_that_is_no_picture_gets_one_sentence(
    bot: BotProcess, data: bytes, filename: str, words: str
) -> None:
    status = await bot.img2img(data, filename=filename)
    refused = await bot.status_with(status, "⚠️")
    assert words in refused.content
    assert "> a cat on a beach" in refused.content  # what was typed is not lost
    assert refused.labels() == []
    assert await bot.results(status) == []


@pytest.mark.parametrize("photograph", ["coffee.jpg", "rocket.jpg", "astronaut.jpg"])
async def test_photographs_keep_their_shape(bot: BotProcess, photograph: str) -> None:
    result = await bot.result_of(await bot.img2img(PHOTOGRAPHS / photograph, steps=4))
    with Image.open(PHOTOGRAPHS / photograph) as before:
        shape = before.width / before.height
    attachment = result.attachments[0]
    assert attachment.width is not None
    assert attachment.height is not None
    assert abs(attachment.width / attachment.height - shape) < 0.15


async def test_models_are_offered_by_name(bot: BotProcess) -> None:
    assert [choice["value"] for choice in await bot.client.autocomplete("img2img", "model", "DEM")] == ["demo"]
    assert await bot.client.autocomplete("img2img", "model", "no such") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "stable-diffusion-xl"}, "hasn't been downloaded"),
        ({"model": "nonsense"}, "no model called"),
        ({"model": "nonsense " * 400}, "no model called"),
        ({"count": 9}, "limit for count here is 4"),
        ({"size": 2048}, "up to size"),
        ({"prompt": "   "}, "prompt is empty"),
    ],
)
async def test_what_cannot_be_is_said_to_the_person_alone(
    bot: BotProcess, options: dict[str, str | int], words: str
) -> None:
    interaction = await bot.client.command("img2img", {"image": CAT, "prompt": "x", **options})
    assert words in told(interaction)


async def test_a_place_where_nothing_could_be_answered_is_named_before_any_work(bot: BotProcess) -> None:
    await bot.client.add_channel("quiet")
    await bot.client.set_permissions("quiet", deny=["ATTACH_FILES"])
    interaction = await bot.client.command("img2img", {"image": CAT, "prompt": "x"}, channel="quiet")
    assert "Attach Files" in told(interaction)


async def test_prompts_ping_nobody(bot: BotProcess) -> None:
    result = await bot.result_of(await bot.img2img(prompt="@everyone @here <@&1> @Linus *bold*", steps=4))
    assert result.mentions == ["Ada"]
    assert not result.mention_everyone
    assert result.mention_roles == []


async def test_neither_prompts_nor_the_token_are_logged(bot: BotProcess) -> None:
    await bot.result_of(await bot.img2img(prompt="a canary called xylophagous", steps=4))
    await bot.status_with(await bot.img2img(b"no picture", prompt="a canary called xylophagous"), "⚠️")
    assert "xylophagous" not in bot.log
    assert bot.server.token not in bot.log
