"""Reads the record of Fooocus; its other format is A1111's."""

import re
from collections.abc import Iterator

from generation.images.recipes import values
from generation.images.recipes.k_diffusion import sampler_of
from generation.images.recipes.recipe import Recipe

_SIDES = re.compile(r"\((\d{1,5}), ?(\d{1,5})\)")


def of_fooocus(text: str) -> Recipe:
    """Read Fooocus's record. Source: modules/meta_parser.py of lllyasviel/Fooocus, ``FooocusMetadataParser``.

    The prompts are those that were typed in, without the words that its styles add.
    """
    said = values.mapping(text)
    if said.get("metadata_scheme") != "fooocus":
        return Recipe()
    resolution = said.get("resolution")
    sides = _SIDES.fullmatch(resolution) if isinstance(resolution, str) else None
    adapter, weight = values.adapters(_loras(said.get("loras")))
    return Recipe(
        prompt=values.prompt(said.get("prompt")),
        negative_prompt=values.negative_prompt(said.get("negative_prompt")),
        guidance_scale=values.number("guidance_scale", said.get("guidance_scale")),
        num_inference_steps=values.whole("num_inference_steps", said.get("steps")),
        size=values.size(*sides.groups()) if sides else None,
        sampler=sampler_of(said.get("sampler"), said.get("scheduler", "normal")),
        model=values.file_name(said.get("base_model")),
        adapter=adapter,
        adapter_weight=weight,
    )


def _loras(value: object) -> Iterator[tuple[object, object]]:
    for lora in value if isinstance(value, list) else ():
        if isinstance(lora, list) and len(lora) >= 2:  # name, weight and, since 2.2, the file's digest
            yield lora[0], lora[1]
