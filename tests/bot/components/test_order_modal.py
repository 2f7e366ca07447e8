"""What a form shows is understood again when it is submitted unchanged."""

from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.components.order_modal import OrderModal
from bot.orders.free_text import parse_text
from bot.orders.options import Options

ALL = Options(
    prompt="a fox\nin snow",
    negative_prompt="blurry",
    strength=0.55,
    guidance_scale=6.5,
    num_inference_steps=24,
    seed=4294967295,
    size=627,
    model="sd-turbo",
    sampler="dpm++2m-karras",
    adapter="ink",
    adapter_weight=0.8,
)


async def nothing(_interaction: discord.Interaction, _options: Options, _picture: int) -> None:
    raise AssertionError("it is not sent")


def shown(chosen: Options) -> dict[str, Any]:
    """Return the texts of a form that hides nothing."""
    form = OrderModal("Remix", chosen, nothing, hides_nothing=True)
    fields = [each["component"] for each in form.to_dict()["components"]]
    assert all(len(field.get("value", "")) <= field["max_length"] for field in fields)
    assert [field["style"] for field in fields] == [2, 1, 1, 2]  # the prompt and the options field have several lines
    return {field["custom_id"]: field.get("value") for field in fields}


@pytest.mark.parametrize(
    "negative_prompt",
    [
        "blurry",
        None,
        "bad hands: six, steps 5, seed: 7",
        'a "quoted" word, negative: "more"',
        "model demo",
        "--strength 0.1, adapter: oil:0.5",
        "“",
        "x" * 1000,
        '"' * 1000,
    ],
)
@pytest.mark.parametrize(
    ("adapter", "weight", "again"),
    [
        (None, None, None),
        ("ink", 0.8, "ink:0.8"),
        ("ink", None, "ink"),
        ("ada:0.5, film:1.25", 0.0, "ada:0.5, film:1.25"),
    ],
)
async def test_everything_is_shown_and_understood_again(
    negative_prompt: str | None, adapter: str | None, weight: float | None, again: str | None
) -> None:
    chosen = replace(ALL, negative_prompt=negative_prompt, adapter=adapter, adapter_weight=weight)
    texts = shown(chosen)
    assert (texts["prompt"], texts["strength"], texts["seed"]) == ("a fox\nin snow", "0.55", "4294967295")
    said = parse_text(texts["more"], models=["demo", "sd-turbo"]).options
    rest = replace(chosen, prompt="", strength=None, seed=None)
    assert said == replace(rest, adapter=again, adapter_weight=None)


@pytest.mark.parametrize("model", ["demo", "sd-turbo", "stable-diffusion-v1-5"])
async def test_a_model_is_understood_whatever_its_name(model: str) -> None:
    texts = shown(Options(prompt="a fox", model=model))
    assert parse_text(texts["more"], models=["demo", "sd-turbo"]).options.model == model


async def test_a_model_that_is_gone_is_named_within_discords_limit() -> None:
    form = OrderModal("Edit", Options(prompt="a fox"), nothing, made_with="m" * 50)
    described = [item.description for item in form.children if isinstance(item, discord.ui.Label) and item.description]
    assert len(described) == 1
    assert "no longer offered" in described[0]
    assert len(described[0]) <= 100


async def test_what_is_not_known_is_empty() -> None:
    assert shown(Options(prompt="")) == {"prompt": None, "strength": None, "seed": None, "more": None}


async def test_a_form_that_comes_back_shows_the_same() -> None:
    form = OrderModal("Remix", ALL, nothing, hides_nothing=True)
    form._more._value = "steps 5"  # pyright: ignore[reportPrivateUsage]  # as Discord fills it in
    again = form.as_typed()
    assert again._more.default == "steps 5"  # pyright: ignore[reportPrivateUsage]
    assert again._hides_nothing  # pyright: ignore[reportPrivateUsage]
