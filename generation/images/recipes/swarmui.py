"""Reads the record of SwarmUI."""

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from generation.images.recipes import values
from generation.images.recipes.k_diffusion import sampler_of
from generation.images.recipes.recipe import Recipe

# From here on a prompt is about another stage or a part of the picture.
_SECTION = re.compile(r"<(?:base|refiner|video|videoswap|segment|object|region|clear|extend)\b")


def of_swarmui(text: str) -> Recipe:
    """Read SwarmUI's record. Source: src/Text2Image/T2IParamInput.cs, ``GenFullMetadataObject``."""
    said = values.mapping(text).get("sui_image_params")
    if not isinstance(said, dict):
        return Recipe()
    adapter, weight = _adapters(said)
    return Recipe(
        prompt=values.prompt(_words(said.get("prompt"))),
        negative_prompt=values.negative_prompt(_words(said.get("negativeprompt"))),
        strength=values.number("strength", said.get("initimagecreativity")),
        guidance_scale=values.number("guidance_scale", said.get("fluxguidancescale", said.get("cfgscale"))),
        num_inference_steps=values.whole("num_inference_steps", said.get("steps")),
        size=values.size(said.get("width"), said.get("height")),
        sampler=sampler_of(said.get("sampler"), said.get("scheduler", "normal")),
        model=values.file_name(said.get("model")),
        adapter=adapter,
        adapter_weight=weight,
    )


def _words(value: object) -> str:
    return values.without_add_ons(_SECTION.split(value, maxsplit=1)[0]) if isinstance(value, str) else ""


def _adapters(said: Mapping[str, Any]) -> tuple[str | None, float | None]:
    files, weights = said.get("loras"), said.get("loraweights")
    if not isinstance(files, list):
        return None, None
    return values.adapters(zip_longest(files, weights[: len(files)] if isinstance(weights, list) else ()))
