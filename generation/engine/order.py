"""One request inside the device loop: what its pictures have in common."""

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

# A run that waits for others says so this often: it is not hung, and this is where it hears that it is cancelled.
_SIGN_SECONDS = 1.0
# Whoever shows previews shows few of them; a message of Discord can be edited about once a second.
_PREVIEW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture as the model painted it, the denoising steps that it took, what strength meant, and who
    painted it.

    ``in_float32`` says that it was broken in the engine's own format and is painted anew.
    """

    image: Image.Image
    steps: int
    scheduler: str
    strength_schedule: StrengthSchedule
    revision: str
    in_float32: bool = False


class Order:
    """A request, the fitted picture that it starts from, and the reports about it; used by the loop's thread only.

    ``pictures`` are settled by the loop, in any order. ``image_key`` stands for the fitted picture's pixels.
    ``seconds`` are seconds of the device: of what a picture shares with others only its part. With ``has_previews`` it
    is shown now and then how they look.
    """

    def __init__(self, request: Img2ImgRequest, image: Image.Image, run: Run, *, has_previews: bool = True) -> None:
        self.request = request
        self.image = image
        self.image_key = hashlib.sha256(image.tobytes()).digest(), image.size
        self.pictures: list[Future[Painted]] = [Future() for _ in range(request.count)]
        self.seconds = 0.0
        self.has_begun_again = False
        self.has_previews = has_previews
        self._run = run
        self._phase = Phase.LOAD
        self._steps = 0
        self._steps_of_pictures = [request.steps_of(index) for index in range(request.count)]
        self._told_steps = 0
        self._last_sign = time.monotonic()
        self._last_preview = -math.inf if has_previews else math.inf  # the first step is shown, or none
        self._preview: Preview | None = None  # of an earlier step, not shown yet

    def enter(self, phase: Phase) -> None:
        """Say what is done from here on; raise RunCancelled."""
        self._phase, self._last_sign = phase, time.monotonic()
        self._run.enter(phase)

    def step_done(self, index: int, steps_of_picture: int, make_preview: Callable[[], Preview]) -> None:
        """Say that one of a picture's ``steps_of_picture`` steps is done; raise RunCancelled.

        What a scheduler adds to the steps of one picture it adds to those of each. Now and then the first of the
        pictures that are not there yet is shown; where a device is still working on it, with the next step, for it
        would have nothing to do while it is waited for.
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
        """Say how many steps of all pictures are done; raise RunCancelled."""
        self._phase, self._last_sign = Phase.DENOISE, time.monotonic()
        self._told_steps = max(self._told_steps, step)  # what is painted again has been told already
        self._run.step(self._told_steps, total_steps, preview)

    def took(self, seconds: float) -> None:
        """Hear how long the device worked for this order."""
        self.seconds += seconds

    def show_life(self) -> None:
        """Say again where it stands if it has been silent for a while; raise RunCancelled."""
        if time.monotonic() - self._last_sign >= _SIGN_SECONDS:
            self.enter(self._phase)

    def begin_again(self) -> None:
        """Forget the steps of the pictures that are not there yet; they will be painted with less memory."""
        self.has_begun_again = True
        steps = zip(self.pictures, self._steps_of_pictures, strict=True)
        self._steps = sum(steps_of_picture for picture, steps_of_picture in steps if picture.done())

    def fail(self, error: BaseException) -> None:
        """End every picture that is not there yet with this error."""
        for picture in self.pictures:
            if not picture.done():
                picture.set_exception(error)
