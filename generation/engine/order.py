"""One request inside the device loop, and what its pictures share."""

import hashlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from PIL import Image

from generation.engine.base import Run
from generation.engine.latents.previews import Preview
from generation.phases import Phase
from generation.requests import Img2ImgRequest, StrengthSchedule

# A run that waits for others reports this often, to show that it is not hung and to notice cancellation.
_HEARTBEAT_SECONDS = 1.0
# No more previews than can be shown: a Discord message can be edited about once a second.
_PREVIEW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture as the model generated it, with its denoising steps, scheduler, meaning of strength and model revision.

    ``in_float32`` says that it came out broken in the engine's own dtype and was painted again.
    """

    image: Image.Image
    steps: int
    scheduler: str
    strength_schedule: StrengthSchedule
    revision: str
    in_float32: bool = False


class Order:
    """A request, the fitted picture that it starts from, and its progress reports; used by the loop's thread only.

    ``repaint_mask`` (mode L, the picture's size) is 255 where the picture is repainted, or None if all of it is.

    ``pictures`` are settled by the loop, in any order. ``image_key`` identifies the fitted picture's pixels.
    ``seconds`` counts device time; of work shared with other orders, only this order's share. With ``has_previews``,
    a preview is sent now and then.
    """

    def __init__(
        self,
        request: Img2ImgRequest,
        image: Image.Image,
        run: Run,
        *,
        repaint_mask: Image.Image | None = None,
        has_previews: bool = True,
    ) -> None:
        self.request = request
        self.image = image
        self.repaint_mask = repaint_mask
        self.image_key = hashlib.sha256(image.tobytes()).digest(), image.size
        self.pictures: list[Future[Painted]] = [Future() for _ in range(request.count)]
        self.seconds = 0.0
        self.has_begun_again = False
        self.has_previews = has_previews
        self._run = run
        self._phase = Phase.LOAD
        self._steps = 0
        self._steps_of_pictures = [request.steps_of(index) for index in range(request.count)]
        self._reported_steps = 0
        self._last_report = time.monotonic()
        self._last_preview = -math.inf if has_previews else math.inf  # preview the first step, or none at all
        self._preview: Preview | None = None  # of an earlier step, not sent yet

    def enter(self, phase: Phase) -> None:
        """Report the phase that begins now; raise RunCancelled."""
        self._phase, self._last_report = phase, time.monotonic()
        self._run.enter(phase)

    def step_done(self, index: int, steps_of_picture: int, make_preview: Callable[[], Preview]) -> None:
        """Report that one of a picture's ``steps_of_picture`` steps is done; raise RunCancelled.

        If a scheduler adds steps to one picture, it adds as many to each of the others. Now and then the first
        unfinished picture is previewed. A preview that the device is still computing is sent with the next step,
        because waiting for it would leave the device idle.
        """
        self._steps += 1
        added = steps_of_picture - self._steps_of_pictures[index]
        self._steps_of_pictures = [steps + added for steps in self._steps_of_pictures]
        is_shown = index == next(number for number, picture in enumerate(self.pictures) if not picture.done())
        shown, self._preview = self._preview, None
        if is_shown and time.monotonic() - self._last_preview >= _PREVIEW_SECONDS:
            self._last_preview = time.monotonic()
            preview = make_preview()
            if preview.is_here:
                shown = preview
            else:
                self._preview = preview
        self.step(self._steps, sum(self._steps_of_pictures), shown.jpeg() if shown else None)

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Report how many steps of all pictures are done; raise RunCancelled."""
        self._phase, self._last_report = Phase.DENOISE, time.monotonic()
        self._reported_steps = max(self._reported_steps, step)  # after a restart, steps that were reported before
        self._run.step(self._reported_steps, total_steps, preview)

    def took(self, seconds: float) -> None:
        """Add seconds that the device spent on this order."""
        self.seconds += seconds

    def heartbeat(self) -> None:
        """Report the current phase again if nothing has been reported for a while; raise RunCancelled."""
        if time.monotonic() - self._last_report >= _HEARTBEAT_SECONDS:
            self.enter(self._phase)

    def begin_again(self) -> None:
        """Forget the steps of the unfinished pictures, which will be generated again with less memory."""
        self.has_begun_again = True
        steps = zip(self.pictures, self._steps_of_pictures, strict=True)
        self._steps = sum(steps_of_picture for picture, steps_of_picture in steps if picture.done())

    def fail(self, error: BaseException) -> None:
        """Fail every unfinished picture with this error."""
        for picture in self.pictures:
            if not picture.done():
                picture.set_exception(error)
