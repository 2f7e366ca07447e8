"""An engine for volume: small pictures without a model, step by step, in the real child process.

It stands in for the graphics card where thousands of jobs are needed, never where pictures are judged.
"""

import hashlib
import threading
from typing import Any

from PIL import Image

from generation.engine.base import Run
from generation.executors.budgets import Phase
from generation.images.encode import encode_picture
from generation.images.metadata import PictureParameters
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture
from generation.versions import VERSION

SIDE = 64
_STEP_SECONDS = 0.005


def create(options: dict[str, Any]) -> "QuickEngine":
    """Make the engine; nothing of the options matters."""
    return QuickEngine()


class QuickEngine:
    """Fill a small picture with the colour that request and seed say."""

    slots = 1
    device = "none"
    dtype = "float32"

    def preload(self) -> None:
        """There is no model."""

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the steps of all pictures."""
        return request.count * request.num_inference_steps

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Take the steps; a cancel is heard at each."""
        run.enter(Phase.LOAD)
        run.enter(Phase.ENCODE)
        total = self.total_steps(request)
        for step in range(1, total + 1):
            threading.Event().wait(_STEP_SECONDS)
            run.step(step, total)
        run.enter(Phase.DECODE)
        pictures = tuple(self._picture(request, index) for index in range(request.count))
        return Img2ImgResult(pictures=pictures, seconds=total * _STEP_SECONDS, device=self.device, dtype=self.dtype)

    def _picture(self, request: Img2ImgRequest, index: int) -> Picture:
        seed = request.seed_of(index)
        colour = hashlib.sha256(f"{request.input_sha256} {seed}".encode()).digest()
        parameters = PictureParameters(
            version=VERSION,
            model=request.model,
            revision="none",
            scheduler="none",
            seed=seed,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            strength=request.strength,
            guidance_scale=request.guidance_scale,
            num_inference_steps=request.num_inference_steps,
            denoising_steps=request.num_inference_steps,
            native_width=SIDE,
            native_height=SIDE,
            enlarged_by=1,
            input_sha256=request.input_sha256,
            device=self.device,
            dtype=self.dtype,
            libraries={},
        )
        image = Image.new("RGB", (SIDE, SIDE), (colour[0], colour[1], colour[2]))
        data, media_type = encode_picture(image, parameters.embedded(), max_bytes=request.max_result_bytes)
        return Picture(
            data=data,
            media_type=media_type,
            width=SIDE,
            height=SIDE,
            native_width=SIDE,
            native_height=SIDE,
            seed=seed,
            parameters=parameters.record(),
        )
