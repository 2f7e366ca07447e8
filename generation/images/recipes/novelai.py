"""Reads the record of NovelAI."""

from collections.abc import Iterator, Mapping
from typing import Any

from generation.images.recipes import values
from generation.images.recipes.k_diffusion import sampler_of
from generation.images.recipes.recipe import Recipe

NOVELAI_KEY = "Comment"


def of_novelai(text: str) -> Recipe:
    """Read NovelAI's record, which a WebP file has inside another one.

    NovelAI publishes no description; this follows files that it made from 2022 to 2025. The names of its models are
    left out, because nobody else has them.
    """
    said = values.mapping(text)
    if isinstance(inner := said.get(NOVELAI_KEY), str):
        said = values.mapping(inner)
    # Early records have a strength for pictures made from words alone too, where it means nothing.
    is_from_picture = said.get("request_type") == "Img2ImgRequest"
    sampler, schedule = said.get("sampler"), said.get("noise_schedule", "native")
    return Recipe(
        prompt=values.prompt(", ".join(_prompts(said))),
        negative_prompt=values.negative_prompt(said.get("uc")),
        strength=values.number("strength", said.get("strength")) if is_from_picture else None,
        guidance_scale=values.number("guidance_scale", said.get("scale")),
        num_inference_steps=values.whole("num_inference_steps", said.get("steps")),
        size=values.size(said.get("width"), said.get("height")),
        sampler=sampler_of(
            sampler.removeprefix("k_") if isinstance(sampler, str) else None,
            "normal" if schedule == "native" else schedule,
        ),
    )


def _prompts(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield the prompt and, since version 4, those of the characters."""
    if isinstance(prompt := said.get("prompt"), str):
        yield prompt
    found: object = said
    for name in ("v4_prompt", "caption", "char_captions"):
        found = found.get(name) if isinstance(found, dict) else None
    for character in found if isinstance(found, list) else ():
        if isinstance(character, dict) and isinstance(words := character.get("char_caption"), str) and words:
            yield words
