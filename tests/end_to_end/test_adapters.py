"""A model's add-ons, from the command and from a reply to the picture, across a restart."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from generation.images.metadata import read_parameters
from generation.models.catalog import load_catalog
from generation.settings import PACKAGED_MODELS_FILE
from playground.client import Message
from tests.end_to_end.bot_process import CAT, BotProcess, stand_in, told
from tests.tiny_adapters import save_tiny_adapter

ADD_ONS = """
[demo.adapters.ink]
file = "{ink}"
title = "Ink and brush"
trigger = "ink drawing"
weight = 0.8
max_weight = 1.2

[demo.adapters.clay]
hub = "somebody/clay"

[demo.adapters.mud]
file = "{mud}"

[demo.embeddings.toy]
file = "{toy}"
word = "<toy>"
title = "A toy"

[plain]"""


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model twice: with add-ons, and without."""
    folder = tmp_path_factory.mktemp("add-ons")
    demo = load_catalog(PACKAGED_MODELS_FILE)["demo"].folder
    assert demo is not None
    ink = save_tiny_adapter(folder, seed=0, model=demo)
    mud = save_tiny_adapter(folder, seed=1, model=demo)
    save_file(
        {"emb_params": torch.randn(2, 128, generator=torch.Generator().manual_seed(0))}, folder / "toy.safetensors"
    )
    text = PACKAGED_MODELS_FILE.read_text(encoding="utf-8")
    row = text[text.index("[demo]") : text.index("\n# Licence", text.index("[demo]"))]
    add_ons = ADD_ONS.format(ink=ink.as_posix(), mud=mud.as_posix(), toy=(folder / "toy.safetensors").as_posix())
    file = folder / "models.toml"
    file.write_text(row + add_ons + row.removeprefix("[demo]"), encoding="utf-8")
    return file


async def picture_of(bot: BotProcess, made: Message) -> tuple[bytes, dict[str, Any]]:
    data = await bot.client.download(made.attachments[0].url)
    parameters = read_parameters(data)
    assert parameters is not None
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes(), parameters


async def painted(bot: BotProcess, **options: Any) -> tuple[bytes, dict[str, Any]]:
    return await picture_of(bot, await bot.result_of(await bot.img2img(seed=3, steps=6, **options)))


async def refused(bot: BotProcess, channel: str = "general", **options: Any) -> str:
    return told(await bot.client.command("img2img", {"image": CAT, "prompt": "x", **options}, channel=channel))


async def test_adapters_and_words(models_file: Path, tmp_path: Path) -> None:
    """One story, because starting the bot is what takes the time here."""
    async with stand_in() as server:
        settings = {"MODELS_FILE": str(models_file)}
        async with BotProcess(server, tmp_path, settings) as bot:
            await what_is_offered(bot)
            await what_is_refused(bot)
            await moderators_allow_models_and_with_them_their_adapters(bot)
            await pictures_change_and_change_back(bot)
            made = await replies_keep_the_adapter_until_told_otherwise(bot)
            with bot.held():
                await bot.status_with(await bot.img2img(steps=4), "Painting")
                waiting = await bot.img2img(member="Linus", seed=3, steps=6, adapter="ink", adapter_weight=0.4)
                await bot.status_with(waiting, "Queued")
                await bot.kill()

        async with BotProcess(server, tmp_path, settings) as bot:
            late = await bot.result_of(waiting)
            _, parameters = await picture_of(bot, late)
            assert (parameters["adapter"], parameters["adapter_weight"]) == ("ink", 0.4)
            again = await bot.client.press(made.id, "Again")
            assert again.response is not None
            assert " · ink 1.1" in (await bot.result_of(again.response)).content


async def what_is_offered(bot: BotProcess) -> None:
    client = bot.client
    offered = [{"name": "Ink and brush", "value": "ink"}]
    mud = {"name": "mud", "value": "mud"}  # clay has not been downloaded
    assert await client.autocomplete("img2img", "adapter", "") == [*offered, mud]
    listed = [{"name": "mud:0.3, Ink and brush", "value": "mud:0.3, ink"}]
    assert await client.autocomplete("img2img", "adapter", "mud:0.3,") == listed
    assert await client.autocomplete("img2img", "adapter", "mud:0.3, brush") == listed
    assert await client.autocomplete("img2img", "adapter", "a, b, c, ") == []  # at most three
    assert await client.autocomplete("img2img", "adapter", "BRUSH", options={"model": "demo"}) == offered
    assert await client.autocomplete("img2img", "adapter", "clay") == []
    assert await client.autocomplete("img2img", "adapter", "", options={"model": "plain"}) == []
    help_text = await client.command("help", {})
    assert help_text.response is not None
    assert "`ink` (write *ink drawing*)" in help_text.response.content
    assert "`<toy>` (A toy)" in help_text.response.content
    assert "clay" not in help_text.response.content


async def what_is_refused(bot: BotProcess) -> None:
    assert "weight must be from 0 to 1.2" in await refused(bot, adapter="ink", adapter_weight=1.5)
    assert "`python -m generation download demo`" in await refused(bot, adapter="clay")
    assert "must be one of ink, clay" in await refused(bot, adapter="oil")
    assert "can't be chosen for Palimpsest Demo" in await refused(bot, adapter="ink", model="plain")


async def moderators_allow_models_and_with_them_their_adapters(bot: BotProcess) -> None:
    async def defaults(verb: str, **options: str) -> str:
        asked = {"where": "channel", **options}
        interaction = await bot.client.command(f"defaults {verb}", asked, member="Grace", channel="plain-only")
        assert interaction.response is not None
        return interaction.response.content

    async def offered(option: str = "adapter") -> list[str]:
        choices = await bot.client.autocomplete("img2img", option, "", channel="plain-only")
        return [choice["value"] for choice in choices]

    await bot.client.add_channel("plain-only")
    assert await offered() == ["ink", "mud"]
    assert "allowed models: plain (from the channel)" in await defaults("set", models="plain")
    assert await offered() == []
    assert "can't be chosen for Palimpsest Demo" in await refused(bot, "plain-only", adapter="ink")
    assert "Please choose plain." in await refused(bot, "plain-only", adapter="ink", model="demo")
    assert await offered("model") == ["plain"]
    assert "allowed models: plain, demo (from the channel)" in await defaults("set", models="plain, demo", model="demo")
    assert await offered() == ["ink", "mud"]
    assert "no model called" in await defaults("set", models="ink")  # an adapter is not a model
    await defaults("reset")
    assert await offered() == ["ink", "mud"]
    assert set(await offered("model")) == {"demo", "plain"}


async def pictures_change_and_change_back(bot: BotProcess) -> None:
    before, parameters = await painted(bot)
    assert parameters["adapter"] == ""
    inked, parameters = await painted(bot, adapter="ink")
    assert (parameters["adapter"], parameters["adapter_weight"]) == ("ink", 0.8)
    both, parameters = await painted(bot, adapter="mud:0.5, ink")
    assert (parameters["adapter"], parameters["adapter_weight"]) == ("ink:0.8, mud:0.5", 0.0)
    taught, parameters = await painted(bot, prompt="a <toy> on a beach")
    assert parameters["prompt"] == "a <toy> on a beach"
    plain, _ = await painted(bot, model="plain", prompt="a <toy> on a beach")  # for which it is plain text
    assert len({before, inked, both, taught, plain}) == 5
    after, _ = await painted(bot)
    assert after == before


async def replies_keep_the_adapter_until_told_otherwise(bot: BotProcess) -> Message:
    asked = await bot.client.say("@Palimpsest a fox, adapter: ink:0.4, steps 4 seed 9", files=[CAT])
    made = await bot.result_of(await bot.answer_to(asked))
    assert " · ink 0.4" in made.content
    asked = await bot.client.say("strength 0.9", reply_to=made.id)
    assert " · ink 0.4" in (await bot.result_of(await bot.answer_to(asked))).content
    asked = await bot.client.say("adapter weight 1.1", reply_to=made.id)
    heavier = await bot.result_of(await bot.answer_to(asked))
    assert " · ink 1.1" in heavier.content
    asked = await bot.client.say("adapter: ink:0.5, mud:1", reply_to=made.id)
    both = await bot.result_of(await bot.answer_to(asked))
    assert " · ink 0.5 + mud 1" in both.content
    asked = await bot.client.say("adapter weight 0.3", reply_to=both.id)
    assert " · ink 0.3 + mud 0.3" in (await bot.result_of(await bot.answer_to(asked))).content
    asked = await bot.client.say("model: plain", reply_to=made.id)
    other = await bot.result_of(await bot.answer_to(asked))
    assert " · plain" in other.content
    assert "ink" not in other.content
    asked = await bot.client.say("adapter: oil", reply_to=made.id)
    assert "must be one of ink, clay" in (await bot.answer_to(asked)).content
    return heavier
