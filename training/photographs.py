"""Photographs as the model gets them: resized to one of its picture sizes."""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from training.tiers import Tier

BUNDLED = Path(__file__).parents[1] / "playground" / "photographs"


def photograph(path: Path, tier: Tier) -> np.ndarray:
    """Read a photograph as (height, width, 3) uint8, cropped to the nearest of the model's picture sizes."""
    with Image.open(path) as image:
        aspect = image.width / image.height
        size = min(tier.sizes, key=lambda size: abs(math.log(size[0] / size[1] / aspect)))
        return np.asarray(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS))


def middle(pictures: np.ndarray, side: int) -> np.ndarray:
    """Return the central squares of pictures (count, height, width, 3), scaled to ``side`` pixels."""
    squares = [ImageOps.fit(Image.fromarray(picture), (side, side), Image.Resampling.LANCZOS) for picture in pictures]
    return np.stack([np.asarray(square) for square in squares])
