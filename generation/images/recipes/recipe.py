"""The settings that a picture was made with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a picture as far as they are known, each within the ranges of ``generation.requests``.

    The seed is left out on purpose: generating from the finished picture starts somewhere else, and adding the noise
    that it was made from once more would overdo what is already there.

    ``size`` is the side, in pixels, of a square with as many pixels. ``sampler`` is one of ours; ``model`` and
    ``adapter`` (with weights if there are several) may be any names.
    """

    prompt: str = ""
    negative_prompt: str = ""
    strength: float | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    size: int | None = None
    sampler: str | None = None
    model: str | None = None
    adapter: str | None = None
    adapter_weight: float | None = None
