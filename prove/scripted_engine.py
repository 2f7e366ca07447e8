"""An engine that computes nothing; it stands in for the graphics card where load is measured, and nowhere else.

Every denoising step lasts as long as on a fast card, the CPU is idle meanwhile, and the result is a small picture in a
colour derived from its seed.
"""

import io
import time
from typing import Any

from PIL import Image

from generation.engine.base import Run
from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture

STEP_SECONDS = 0.02
SIDE = 64


def create_engine(_options: dict[str, Any]) -> "ScriptedEngine":
    """Make an engine that runs one request at a time, as most installations do."""
    return ScriptedEngine(slots=1)


def create_wide_engine(_options: dict[str, Any]) -> "ScriptedEngine":
    """Make an engine that runs four at a time."""
    return ScriptedEngine(slots=4)


class ScriptedEngine:
    """An engine that sleeps through its steps."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.device = "scripted"
        self.dtype = "float32"

    def preload(self) -> None:
        """Do nothing: there is no model."""

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the requested steps."""
        return request.total_steps

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Sleep for as long as the request's steps take; return its pictures."""
        began = time.monotonic()
        run.enter(Phase.ENCODE)
        for step in range(1, request.total_steps + 1):
            time.sleep(STEP_SECONDS)
            run.step(step, request.total_steps)
        run.enter(Phase.DECODE)
        pictures = tuple(_picture(request.seed_of(index)) for index in range(request.count))
        return Img2ImgResult(pictures=pictures, seconds=time.monotonic() - began, device=self.device, dtype=self.dtype)


def _picture(seed: int) -> Picture:
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (seed % 256, seed // 256 % 256, seed // 65536 % 256)).save(file, "PNG")
    return Picture(
        data=file.getvalue(),
        media_type="image/png",
        width=SIDE,
        height=SIDE,
        native_width=SIDE,
        native_height=SIDE,
        seed=seed,
        parameters={},
    )
