"""The settings of a picture are read from the texts that programs write, and from nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from generation.images.recipes.invokeai import INVOKEAI_KEY
from generation.images.recipes.reading import read_recipe
from generation.images.recipes.recipe import Recipe
from generation.images.texts import COMMENT_KEY, RECORD_KEY, TEXT_KEY, read_texts
from generation.requests import MAX_NEGATIVE_PROMPT_CHARACTERS, MAX_PROMPT_CHARACTERS
from generation.samplers import OWN_SAMPLER, SAMPLERS
from tests.generation.images.test_metadata import PARAMETERS, encoded_as

# As webui 1.10 writes it, with additions by extensions.
FORGE = """(masterpiece:1.2), a red fox, "quoted", snow
second line, Steps: not this
Negative prompt: blurry, bad hands: six fingers
(worst quality:1.4)
Steps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4294967295, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned, Denoising strength: 0.55, \
ADetailer prompt: "a face, Seed: 1, \\"Steps: 2\\"", Lora hashes: "ink: 1234, clay: 5678", Version: v1.10.1"""
READ = Recipe(
    prompt='(masterpiece:1.2), a red fox, "quoted", snow\nsecond line, Steps: not this',
    negative_prompt="blurry, bad hands: six fingers (worst quality:1.4)",
    strength=0.55,
    guidance_scale=6.5,
    num_inference_steps=24,
    size=627,
    sampler="dpm++2m-karras",
    model="v1-5-pruned",
)


def of_text(text: str) -> Recipe:
    recipe = read_recipe({TEXT_KEY: text})
    assert recipe is not None
    return recipe


@pytest.mark.parametrize("key", [TEXT_KEY, COMMENT_KEY])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_forge_writes(key: str, end: str) -> None:
    assert read_recipe({key: FORGE.replace("\n", end)}) == READ


def test_what_follows_the_line_of_settings_is_left_alone() -> None:
    assert of_text(FORGE + "\nTemplate: a {red|blue} fox") == READ


def test_a_prompt_may_look_like_settings() -> None:
    assert of_text("Steps: 3, Seed: 5\nSteps: 20") == Recipe(prompt="Steps: 3, Seed: 5", num_inference_steps=20)


@pytest.mark.parametrize(
    ("written", "prompt"),
    [
        ("a fox, <lora:ink:0.8>, snow <lyco:clay:1:0.5>", "a fox, snow"),
        ("<lora:ink:1>, <hypernet:x:1> a fox in <toy> snow <3", "a fox in <toy> snow <3"),
        ("a fox<lora:" + "<lora:" * 9_000, ("a fox<lora:" + "<lora:" * 9_000)[:MAX_PROMPT_CHARACTERS]),
    ],
)
def test_a_prompt_loses_what_another_machine_loads(written: str, prompt: str) -> None:
    assert of_text(f"{written}\nSteps: 20").prompt == prompt


def test_parts_may_be_missing() -> None:
    assert of_text("a fox\nSteps: 20") == Recipe(prompt="a fox", num_inference_steps=20)
    assert of_text("Steps: 20, Seed: 7") == Recipe(num_inference_steps=20)
    assert of_text("Negative prompt: snow\nSteps: 20") == Recipe(negative_prompt="snow", num_inference_steps=20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a fox",
        "a fox\nNegative prompt: snow",
        "Steps to success: work",
        '{"prompt": "a fox", "steps": 20}',
        "\n" * 99,
    ],
)
def test_a_text_without_settings_is_none_of_these(text: str) -> None:
    assert read_recipe({TEXT_KEY: text}) is None


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        ("Euler a", "euler-a"),
        ("Euler", "euler"),
        ("euler, Schedule type: Normal", "euler"),
        ("Euler, Schedule type: Automatic", "euler"),
        ("Euler, Schedule type: Karras", None),
        ("DDIM", "ddim"),
        ("UniPC", "unipc"),
        ("DPM++ 2M Karras", "dpm++2m-karras"),
        ("DPM++ 2M, Schedule type: Automatic", "dpm++2m-karras"),
        ("DPM++ 2M", None),
        ("DPM++ 2M, Schedule type: Exponential", None),
        ("Heun", None),
        ("the model's own", None),
        ('"Euler a"', "euler-a"),
    ],
)
def test_a_sampler_is_taken_where_it_is_one_of_ours_in_every_respect(sampler: str, name: str | None) -> None:
    assert of_text(f"a fox\nSteps: 20, Sampler: {sampler}, Seed: 1").sampler == name


@pytest.mark.parametrize(
    "wrong",
    [
        "Seed: -1",
        "Seed: 4294967296",
        "Seed: 1.5",
        "Seed: nan",
        "Seed: " + "9" * 5000,
        "CFG scale: 31",
        "CFG scale: inf",
        "CFG scale: seven",
        "CFG scale:",
        "Denoising strength: 0",
        "Denoising strength: 1.01",
        "Size: 0x0",
        "Size: 99999x99999",
        "Size: 4x4",
        "Size: 512",
        "Sampler:",
        "Model:",
        "Model: " + "x" * 201,
    ],
)
def test_what_is_out_of_range_or_no_number_is_left_out(wrong: str) -> None:
    assert of_text(f"a fox\nSteps: 20, {wrong}") == Recipe(prompt="a fox", num_inference_steps=20)


def test_a_number_has_no_more_places_than_people_write() -> None:
    recipe = of_text("a fox\nSteps: 20, CFG scale: 0.00001, Denoising strength: 0.55000001")
    assert (recipe.guidance_scale, recipe.strength) == (0.0, 0.55)


def test_texts_are_cut_to_what_the_form_takes() -> None:
    recipe = of_text(f"{'fox ' * 1000}\nNegative prompt: {'snow ' * 1000}\nSteps: 20")
    assert len(recipe.prompt) <= MAX_PROMPT_CHARACTERS
    assert recipe.prompt == ("fox " * 1000)[:MAX_PROMPT_CHARACTERS].rstrip()
    assert recipe.negative_prompt == ("snow " * 1000)[:MAX_NEGATIVE_PROMPT_CHARACTERS].rstrip()


def test_what_nobody_can_see_is_taken_out() -> None:
    recipe = of_text("a\0 fox\x1b[1m \u202eniaga\u202c\u2067,\tGröße 👩\u200d🚀\nin snow\nSteps: 20")
    assert recipe.prompt == "a fox[1m niaga, Größe 👩\u200d🚀\nin snow"
    record = {"prompt": "a \ud800fox\udfff", "negative_prompt": "snow\nand\x07 ice"}
    read = read_recipe({RECORD_KEY: json.dumps(record)})
    assert read == Recipe(prompt="a fox", negative_prompt="snow and ice")


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/jpeg"])
@pytest.mark.parametrize("sampler", ["ddim", "euler", "euler-a", "dpm++2m-karras", "unipc"])
def test_our_own_results_are_read_back(media_type: str, sampler: str) -> None:
    made = replace(PARAMETERS, sampler=sampler)
    recipe = read_recipe(read_texts(encoded_as(media_type, made)))
    assert recipe is not None
    assert recipe == Recipe(
        prompt=made.prompt,
        negative_prompt=made.negative_prompt,
        strength=made.strength,
        guidance_scale=made.guidance_scale,
        num_inference_steps=made.num_inference_steps,
        size=78,  # 96 × 64, the native size; the file's picture is larger
        sampler=sampler,
        model=made.model,
        adapter=recipe.adapter,
        adapter_weight=recipe.adapter_weight,
    )


def test_every_sampler_of_ours_is_found_by_its_title() -> None:
    for name, sampler in SAMPLERS.items():
        if name != OWN_SAMPLER:
            assert of_text(f"a fox\nSteps: 20, Sampler: {sampler.title}").sampler == name


def test_our_record_comes_before_the_text_and_knows_the_adapters() -> None:
    made = replace(PARAMETERS, adapter="ink", adapter_weight=0.8)
    texts = {TEXT_KEY: FORGE, RECORD_KEY: made.embedded().record}
    recipe = read_recipe(texts)
    assert recipe is not None
    assert (recipe.prompt, recipe.adapter, recipe.adapter_weight) == (made.prompt, "ink", 0.8)
    assert recipe.sampler == OWN_SAMPLER


@pytest.mark.parametrize(
    "record", ["", "{", "[]", "3", '"a"', "null", "[" * 50_000, '{"a":' * 9_000, '{"seed": ' + "9" * 5_000 + "}", "{}"]
)
def test_a_broken_record_leaves_the_word_to_the_text(record: str) -> None:
    assert read_recipe({RECORD_KEY: record, TEXT_KEY: FORGE}) == READ
    assert read_recipe({RECORD_KEY: record, INVOKEAI_KEY: record}) is None


ODD: tuple[Any, ...] = (None, True, [], {}, [1], {"a": 1}, "", "words", -1, 10**30, 1e308, float("nan"), float("inf"))


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("key", [RECORD_KEY, INVOKEAI_KEY])
def test_values_of_any_kind_are_no_settings(key: str, value: object) -> None:
    names = {"prompt": "positive_prompt"} if key == INVOKEAI_KEY else {"prompt": "prompt"}
    others = ("negative_prompt", "strength", "guidance_scale", "cfg_scale", "num_inference_steps", "steps", "seed")
    more = ("native_width", "native_height", "width", "height", "sampler", "scheduler", "adapter", "adapter_weight")
    record = dict.fromkeys((*others, *more, "model"), value) | {names["prompt"]: "a fox"}
    recipe = read_recipe({key: json.dumps(record)})
    assert recipe is not None
    assert recipe.prompt == "a fox"
    assert recipe.num_inference_steps is None
    assert recipe.strength is None
    assert recipe.sampler is None
    assert recipe.size is None


def test_what_invokeai_writes() -> None:
    record = {
        "app_version": "5.6.0",
        "generation_mode": "img2img",
        "positive_prompt": "a landscape",
        "negative_prompt": "low quality",
        "width": 768,
        "height": 432,
        "seed": 356120443,
        "cfg_scale": 7.5,
        "steps": 50,
        "scheduler": "dpmpp_2m_k",
        "strength": 0.65,
        "model": {"name": "something", "base": "sd-1"},
    }
    assert read_recipe({INVOKEAI_KEY: json.dumps(record)}) == Recipe(
        prompt="a landscape",
        negative_prompt="low quality",
        strength=0.65,
        guidance_scale=7.5,
        num_inference_steps=50,
        size=576,
        sampler="dpm++2m-karras",
    )
    other = read_recipe({INVOKEAI_KEY: json.dumps(record | {"scheduler": "dpmpp_2m_sde_k"})})
    assert other is not None
    assert other.sampler is None


def test_a_line_of_any_length_and_kind_is_taken_apart() -> None:
    for part in ('a: "', "a: ", ",", '"', "\\", 'a: "\\', "a" * 50, "a " * 50 + ":", ":", ' "\\", '):
        assert of_text("a fox\nSteps: 20, " + part * 20_000).num_inference_steps == 20


def test_a_strength_for_parts_of_a_picture_is_left_out() -> None:
    whole, parts = (
        read_recipe({RECORD_KEY: replace(PARAMETERS, repaint=repaint).embedded().record})
        for repaint in ("all", "transparent")
    )
    assert whole is not None
    assert whole.strength == PARAMETERS.strength
    assert parts == replace(whole, strength=None)
