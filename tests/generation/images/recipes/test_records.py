"""The records of SwarmUI, Fooocus and NovelAI are read from the places in a file where these programs write them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from PIL import ExifTags, Image

from generation.images.recipes.novelai import NOVELAI_KEY
from generation.images.recipes.reading import read_recipe
from generation.images.recipes.recipe import Recipe
from generation.images.texts import COMMENT_KEY, TEXT_KEY, read_texts
from tests.generation.images.recipes.test_reading import ODD
from tests.generation.images.test_texts import comment
from tests.pictures import encoded, photo

SWARMUI: dict[str, Any] = {
    "prompt": "a heron in the reeds, mist, <lora:ink:0.5> <segment:face,0.6> sharp eyes <refiner> detail",
    "negativeprompt": "blurry",
    "model": "OfficialStableDiffusion/sd_xl_base_1.0",
    "seed": 1481184710,
    "steps": 28,
    "cfgscale": 6.0,
    "aspectratio": "8:5",
    "width": 1216,
    "height": 768,
    "sampler": "dpmpp_2m",
    "scheduler": "karras",
    "initimagecreativity": 0.4,
    "loras": ["styles/ink", "mist"],
    "loraweights": ["0.5"],
    "automaticvae": True,
    "swarm_version": "0.9.7.4",
}
SWARMUI_READ = Recipe(
    prompt="a heron in the reeds, mist",
    negative_prompt="blurry",
    strength=0.4,
    guidance_scale=6.0,
    num_inference_steps=28,
    size=966,
    sampler="dpm++2m-karras",
    model="sd_xl_base_1.0",
    adapter="ink:0.5, mist:1.0",
    adapter_weight=0.0,
)
FOOOCUS: dict[str, Any] = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juniperXL_v8",
    "base_model_hash": "aeb7e9e689",
    "clip_skip": 2,
    "full_negative_prompt": ["blurry", "unrealistic, saturated"],
    "full_prompt": ["cinematic still a heron . emotional, harmonious"],
    "guidance_scale": 4.0,
    "lora_combined_1": "offset_1.0 : 0.1",
    "loras": [["offset_1.0", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "blurry",
    "performance": "Speed",
    "prompt": "a heron",
    "resolution": "(896, 1152)",
    "sampler": "euler_ancestral",
    "scheduler": "simple",
    "seed": "5301829734025169",
    "steps": 30,
    "styles": "['Fooocus V2', 'Fooocus Enhance']",
    "version": "Fooocus v2.5.5",
}
FOOOCUS_READ = Recipe(
    prompt="a heron",
    negative_prompt="blurry",
    guidance_scale=4.0,
    num_inference_steps=30,
    size=1016,
    sampler="euler-a",
    model="juniperXL_v8",
    adapter="offset_1.0",
    adapter_weight=0.1,
)
NOVELAI: dict[str, Any] = {
    "prompt": "2 herons, reeds, {mist}",
    "steps": 28,
    "height": 1216,
    "width": 832,
    "scale": 5.0,
    "uncond_scale": 0.0,
    "cfg_rescale": 0.0,
    "seed": 1016281108,
    "n_samples": 1,
    "noise_schedule": "native",
    "sampler": "k_euler_ancestral",
    "strength": 0.7,
    "noise": 0.0,
    "v4_prompt": {
        "caption": {"base_caption": "2 herons", "char_captions": [{"char_caption": "grey", "centers": []}]},
        "use_coords": False,
    },
    "uc": "blurry, text",
    "request_type": "Img2ImgRequest",
}
NOVELAI_READ = Recipe(
    prompt="2 herons, reeds, {mist}, grey",
    negative_prompt="blurry, text",
    strength=0.7,
    guidance_scale=5.0,
    num_inference_steps=28,
    size=1006,
    sampler="euler-a",
)


def swarmui(**other: object) -> str:
    """Return a record as SwarmUI writes it, indented."""
    return json.dumps({"sui_image_params": SWARMUI | other, "sui_extra_data": {"date": "2026-02-01"}}, indent=2)


@pytest.mark.parametrize("key", [TEXT_KEY, COMMENT_KEY])
def test_swarmui_and_fooocus(key: str) -> None:
    assert read_recipe({key: swarmui()}) == SWARMUI_READ
    assert read_recipe({key: json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}) == FOOOCUS_READ


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_swarmuis_comment(format_name: str) -> None:
    data = encoded(photo(), format_name, exif=comment(swarmui(), b"UNICODE\0", "utf-16-le"))
    assert read_recipe(read_texts(data)) == SWARMUI_READ


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_fooocuss_comment_is_in_the_first_directory_and_names_no_character_code(format_name: str) -> None:
    block = Image.Exif()
    block[ExifTags.Base.UserComment] = json.dumps(FOOOCUS)
    block[ExifTags.Base.Software] = "Fooocus v2.5.5"
    data = encoded(photo(), format_name, exif=block)
    assert read_recipe(read_texts(data)) == FOOOCUS_READ


def test_novelai_in_a_png_and_wrapped_in_a_comment() -> None:
    text = json.dumps(NOVELAI)
    assert read_recipe({NOVELAI_KEY: text, "Software": "NovelAI", "Description": "2 herons"}) == NOVELAI_READ
    assert read_recipe({COMMENT_KEY: json.dumps({"Comment": text, "Software": "NovelAI"})}) == NOVELAI_READ


def test_novelais_strength_counts_where_a_picture_was_there() -> None:
    early = {name: value for name, value in NOVELAI.items() if name not in ("request_type", "v4_prompt")}
    recipe = read_recipe({NOVELAI_KEY: json.dumps(early)})
    assert recipe == replace(NOVELAI_READ, strength=None, prompt=NOVELAI["prompt"])


def test_guidance_of_flux_in_swarmui() -> None:
    recipe = read_recipe({TEXT_KEY: swarmui(cfgscale=1, fluxguidancescale=3.5, initimagecreativity=0.0)})
    assert recipe == replace(SWARMUI_READ, guidance_scale=3.5, strength=None)


@pytest.mark.parametrize("value", [*ODD, [[]], [["a"]], [[1, 2]], [None], {"caption": {"char_captions": [1, {}]}}])
def test_values_of_any_kind_are_no_settings(value: object) -> None:
    for key, text in (
        (TEXT_KEY, swarmui(**{name: value for name in SWARMUI if name != "prompt"})),
        (TEXT_KEY, json.dumps(dict.fromkeys(FOOOCUS, value) | {"metadata_scheme": "fooocus", "prompt": "a heron"})),
        (NOVELAI_KEY, json.dumps(dict.fromkeys(NOVELAI, value) | {"prompt": "a heron"})),
    ):
        recipe = read_recipe({key: text})
        assert recipe is not None
        assert recipe.prompt.startswith("a heron")
        assert (recipe.num_inference_steps, recipe.strength, recipe.sampler, recipe.size) == (None, None, None, None)


@pytest.mark.parametrize("value", ODD)
def test_a_record_may_be_anything(value: object) -> None:
    assert read_recipe({TEXT_KEY: json.dumps({"sui_image_params": value})}) is None
    assert read_recipe({key: json.dumps(value) for key in (TEXT_KEY, COMMENT_KEY, NOVELAI_KEY)}) is None
    assert read_recipe({COMMENT_KEY: json.dumps({"Comment": value})}) is None
