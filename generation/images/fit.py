"""Sizes that a model can paint, and pictures brought to them: scaled and trimmed at the edges, never squashed."""

import math

from PIL import Image, ImageOps

MAX_ASPECT = 4.0  # beyond 1:4 a model paints the same thing over and over; the middle of such a picture is used
_ENLARGED_SIDE = 512
# Trimmed pixels are lost and missing ones only make the picture a little smaller.
_CROP_WEIGHT = 2.0


def fitted_size(width: int, height: int, *, max_pixels: int, multiple: int) -> tuple[int, int]:
    """Return the size to paint a picture of ``width`` × ``height`` at: (width, height) in pixels.

    Both are multiples of ``multiple`` and at least one of it; their product is within ``max_pixels`` (if one multiple
    a side is). Among these the size is chosen that keeps the aspect and uses the budget best; small pictures are
    enlarged to the budget too, because a model paints best at the size that it was trained at.
    """
    aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
    best, least_waste = (multiple, multiple), math.inf
    for fitted_height in range(multiple, math.isqrt(int(max_pixels * MAX_ASPECT)) + 1, multiple):
        below = int(aspect * fitted_height // multiple) * multiple
        for fitted_width in (below, below + multiple):
            area = fitted_width * fitted_height
            if not 0 < area <= max_pixels:
                continue
            waste = (1 - area / max_pixels) + _CROP_WEIGHT * crop_loss(aspect, fitted_width / fitted_height)
            if waste < least_waste:
                best, least_waste = (fitted_width, fitted_height), waste
    return best


def crop_loss(aspect: float, fitted_aspect: float) -> float:
    """Return which part of a picture is trimmed away to get from one aspect (width / height) to another."""
    return 1 - min(aspect / fitted_aspect, fitted_aspect / aspect)


def fit_image(image: Image.Image, width: int, height: int) -> Image.Image:
    """Scale a picture (RGB) to cover ``width`` × ``height`` (Lanczos) and trim what is over, evenly on both sides.

    A picture that is smaller is enlarged.
    """
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def enlargement_factor(width: int, height: int) -> int:
    """Return the whole factor that brings a small picture to about 512 × 512 pixels in area, at least 1.

    The area counts and not a side, so that all aspects of one pixel budget are enlarged alike.
    """
    return max(1, round(_ENLARGED_SIDE / math.sqrt(width * height)))


def enlarge(image: Image.Image, factor: int) -> Image.Image:
    """Enlarge a picture (RGB) by a whole factor (Lanczos)."""
    if factor == 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
