"""A second opinion on a picture: libvips, whose loaders, colour conversion and orientation are not Pillow's.

It works in its own process, because the files are made to break decoders and may break this one.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reference makes of a file: upright RGB pixels over white, or why there are none."""

    width: int = 0
    height: int = 0
    pixels: bytes = b""
    error: str = ""


class Reference:
    """Reads pictures with libvips, in a process that is replaced if a picture kills or blocks it."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def read(self, data: bytes) -> Reading:
        """Return the whole first frame; a file that causes any error counts as unreadable."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        try:
            return self._pool.submit(_read, data).result(SECONDS)
        except BrokenProcessPool:
            self.close()
            return Reading(error="it ended the reference's process")
        except TimeoutError:
            for process in multiprocessing.active_children():
                process.kill()
            self.close()
            return Reading(error=f"it took the reference more than {SECONDS:g} seconds")

    def close(self) -> None:
        """Stop the process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _read(data: bytes) -> Reading:
    import pyvips  # pyright: ignore[reportMissingImports]  # prove/requirements.txt: needed for this proof alone

    pyvips.cache_set_max(0)
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="error").copy_memory().autorot()
        image = _srgb(image)
        if image.hasalpha():
            image = image.flatten(background=255)
        image = image.cast("uchar")
        return Reading(image.width, image.height, bytes(image.write_to_memory()))
    except pyvips.Error as error:
        return Reading(error=str(error).strip().splitlines()[-1][:200])


def _srgb(image: Any) -> Any:  # pyvips has no types
    """Convert to sRGB by the embedded profile, or as the mode says; CMYK without a profile is converted naively."""
    import pyvips  # pyright: ignore[reportMissingImports]

    if image.get_typeof("icc-profile-data"):
        try:
            return image.icc_transform("srgb", embedded=True, intent="perceptual").copy_memory()
        except pyvips.Error:  # a broken profile
            image = image.copy()
            image.remove("icc-profile-data")
    if image.interpretation == "cmyk":
        inks = 255 - image
        black = inks[3]
        light = (inks[:3] * black / 255).rint()
        return light.copy(interpretation="srgb")
    return image.colourspace("srgb")
