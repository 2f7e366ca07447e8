"""Reads the record of InvokeAI."""

from generation.images.recipes import values
from generation.images.recipes.recipe import Recipe

INVOKEAI_KEY = "invokeai_metadata"

_SAMPLERS = {
    "ddim": "ddim",
    "euler": "euler",
    "euler_a": "euler-a",
    "dpmpp_2m_k": "dpm++2m-karras",
    "unipc": "unipc",
}


def of_invokeai(text: str) -> Recipe:
    """Read InvokeAI's record. Source: invokeai/app/invocations/metadata.py, ``CoreMetadataInvocation``."""
    said = values.mapping(text)
    scheduler = said.get("scheduler")
    return Recipe(
        prompt=values.prompt(said.get("positive_prompt")),
        negative_prompt=values.negative_prompt(said.get("negative_prompt")),
        strength=values.number("strength", said.get("strength")),
        guidance_scale=values.number("guidance_scale", said.get("cfg_scale")),
        num_inference_steps=values.whole("num_inference_steps", said.get("steps")),
        size=values.size(said.get("width"), said.get("height")),
        sampler=_SAMPLERS.get(scheduler) if isinstance(scheduler, str) else None,
    )
