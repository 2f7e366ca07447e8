"""The request that the benchmarks of whole pictures use."""

import io
from typing import Any

from PIL import Image

from generation.engine.base import RunCancelled
from generation.phases import Phase
from generation.requests import Img2ImgRequest
from generation.samplers import OWN_SAMPLER

PROMPT = "A fantasy landscape, trending on artstation"  # the original script's example


def picture(side: int, number: int = 0) -> Image.Image:
    """Return a smooth picture of ``side`` pixels, a different one for each number."""
    bands = [Image.linear_gradient("L").resize((side, side)).rotate(90 * turn) for turn in range(3)]
    image = Image.merge("RGB", bands)
    image.putpixel((0, 0), (number % 256, number // 256, 0))
    return image


def request(side: int, model: str, number: int = 0, **changes: Any) -> Img2ImgRequest:
    """Return a request for one picture of ``side`` pixels at strength .75."""
    buffer = io.BytesIO()
    picture(side, number).save(buffer, "PNG")
    fields: dict[str, Any] = {
        "image": buffer.getvalue(),
        "input_sha256": "0" * 64,
        "prompt": PROMPT,
        "negative_prompt": "",
        "strength": 0.75,
        "guidance_scale": 7.5,
        "num_inference_steps": 20,
        "seed": 7,
        "count": 1,
        "max_pixels": side * side,
        "model": model,
        "max_result_bytes": 2**30,
        "sampler": OWN_SAMPLER,
        "strength_schedule": "index",  # diffusers' meaning, for as many calls as in its own pipeline
        "native": True,
    }
    return Img2ImgRequest(**(fields | changes))


class SilentRun:
    """A run that counts steps, and cancels itself at a given one."""

    def __init__(self, cancel_at_step: int | None = None) -> None:
        self.steps = 0
        self._cancel_at_step = cancel_at_step

    def enter(self, phase: Phase) -> None:
        """Ignore the phase."""

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Count the step."""
        self.steps += 1
        if step == self._cancel_at_step:
            raise RunCancelled
