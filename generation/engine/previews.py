"""How a picture looks while it is denoised: each latent pixel's colour as a linear map, for next to nothing.

That latents are nearly linear in colour is an old observation about Stable Diffusion's autoencoder:
https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204. The coefficients are not taken from
there but fitted to each model's own autoencoder, once.
"""

import io
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from PIL import Image

from generation.engine.autoencoder import encode_in_slices, scaled_latents

_FITTED_SIDE = 128  # pixels; smooth colours say all that a linear map can know
_SHOWN_SIDE = 256


class Previewer:
    """Turn clean latents into a small encoded picture."""

    def __init__(self, coefficients: torch.Tensor) -> None:
        """Take coefficients (channels + 1, 3): one row for each channel, and one for what is added."""
        self._coefficients = coefficients

    def encode(self, latents: torch.Tensor) -> bytes:
        """Return a JPEG of latents (1, channels, height, width)."""
        colours = torch.nan_to_num(_design(latents) @ self._coefficients).clamp(0, 1)
        height, width = latents.shape[-2:]
        small = Image.fromarray((colours.view(height, width, 3) * 255).round().to(torch.uint8).numpy())
        factor = _SHOWN_SIDE / max(width, height)
        shown = small.resize((max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=80)
        return buffer.getvalue()


def fitted_previewer(pipeline: Any, dtype: torch.dtype) -> Generator[None, None, Previewer]:
    """Fit the map to the pipeline's autoencoder by least squares, in slices."""
    image = _smooth_colours()
    distribution = yield from encode_in_slices(pipeline, image, dtype)
    latents = scaled_latents(pipeline, distribution.mode(), dtype)
    height, width = latents.shape[-2:]
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX))
    colours = torch.from_numpy(small.copy()).view(-1, 3).float() / 255
    return Previewer(torch.linalg.lstsq(_design(latents), colours).solution)


def _design(latents: torch.Tensor) -> torch.Tensor:
    """Return latents as rows (pixels, channels + 1) on the CPU, the last of which is 1."""
    rows = latents[0].detach().float().cpu().flatten(1).T
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


def _smooth_colours() -> Image.Image:
    """Return a picture of random smooth colours, coarse ones and finer ones, always the same."""
    random = np.random.default_rng(0)
    coarse, fine = (
        Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize(
            (_FITTED_SIDE, _FITTED_SIDE), Image.Resampling.BICUBIC
        )
        for cells in (4, 16)
    )
    return Image.blend(coarse, fine, 0.4)
