"""Requests for tests that do not care about most of the fields."""

import io
from typing import Any

from PIL import Image

from generation.requests import Img2ImgRequest


def png(width: int = 64, height: int = 64, colour: tuple[int, int, int] = (200, 60, 40)) -> bytes:
    """Return a clean picture, as from the image decoder."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def request(prompt: str = "a cat", **changes: Any) -> Img2ImgRequest:
    """Return a valid request."""
    fields: dict[str, Any] = {
        "image": b"",
        "input_sha256": "0" * 64,
        "prompt": prompt,
        "negative_prompt": "",
        "strength": 0.5,
        "guidance_scale": 4.0,
        "num_inference_steps": 4,
        "seed": 7,
        "count": 1,
        "max_pixels": 64 * 64,
        "model": "demo",
        "max_result_bytes": 10 * 2**20,
        "sampler": "own",
        "strength_schedule": "index",
    }
    return Img2ImgRequest(**{**fields, **changes})
