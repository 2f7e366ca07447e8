"""Sizes that a model can generate, and pictures fitted to them: scaled and cropped at the edges, never squashed."""

import math

from PIL import Image, ImageOps

MAX_ASPECT = 4.0  # beyond 1:4 a model repeats itself; only the middle of such a picture is used
_ENLARGED_SIDE = 512
# Cropped pixels are lost, while unused budget only makes the picture a little smaller.
_CROP_WEIGHT = 2.0


def fitted_size(width: int, height: int, *, max_pixels: int, multiple: int) -> tuple[int, int]:
    """Return the size at which to generate a picture of ``width`` × ``height``: (width, height) in pixels.

    Both are positive multiples of ``multiple``, and their product is at most ``max_pixels`` (if a square of one
    multiple is). Among these, the size is chosen that best keeps the aspect ratio and uses the budget. Small pictures
    are enlarged to the budget too, because a model works best at the size that it was trained at.
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
    """Return the fraction of a picture that is cropped to get from one aspect ratio (width / height) to another."""
    return 1 - min(aspect / fitted_aspect, fitted_aspect / aspect)


def fit_image(
    image: Image.Image, width: int, height: int, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Scale a picture to cover ``width`` × ``height``, and crop the excess evenly on both sides.

    A smaller picture is enlarged.
    """
    return ImageOps.fit(image, (width, height), resampling)


def enlargement_factor(width: int, height: int) -> int:
    """Return the integer factor, at least 1, that brings a small picture to an area of about 512 × 512 pixels.

    Area counts rather than a side, so that all aspect ratios of one pixel budget are enlarged alike.
    """
    return max(1, round(_ENLARGED_SIDE / math.sqrt(width * height)))


def enlarge(image: Image.Image, factor: int) -> Image.Image:
    """Enlarge an RGB picture by an integer factor (Lanczos)."""
    if factor == 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
