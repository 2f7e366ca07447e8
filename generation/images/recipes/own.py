"""Reads the record of this bot."""

from generation.images.recipes import values
from generation.images.recipes.recipe import Recipe
from generation.samplers import SAMPLERS


def of_our_record(text: str) -> Recipe:
    """Read what ``PictureParameters.record`` of ``generation.images.metadata`` wrote."""
    said = values.mapping(text)
    sampler = said.get("sampler")
    # A strength for parts of a picture would repaint all of the result, which has no such parts.
    is_of_whole = said.get("repaint", "all") == "all"
    return Recipe(
        prompt=values.prompt(said.get("prompt")),
        negative_prompt=values.negative_prompt(said.get("negative_prompt")),
        strength=values.number("strength", said.get("strength")) if is_of_whole else None,
        guidance_scale=values.number("guidance_scale", said.get("guidance_scale")),
        num_inference_steps=values.whole("num_inference_steps", said.get("num_inference_steps")),
        size=values.size(said.get("native_width"), said.get("native_height")),
        sampler=sampler if isinstance(sampler, str) and sampler in SAMPLERS else None,
        model=values.name(said.get("model")),
        adapter=values.name(said.get("adapter")),
        adapter_weight=values.finite(said.get("adapter_weight")),
    )
