"""Previews of a picture during denoising, at next to no cost: by a tiny autoencoder, or by a linear map to colours.

The catalog may name a tiny autoencoder for a model (TAESD, https://github.com/madebyollin/taesd); then previews are
sharp. Without one they are soft. That latents are nearly linear in colour is an old observation about Stable
Diffusion's autoencoder, https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204. The
coefficients are not taken from there but fitted once to each model's own autoencoder.
"""

import io
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn.functional import interpolate

from generation.engine.device_work import DeviceEvent
from generation.engine.latents.autoencoder import encode_in_slices, scaled_latents

_FITTED_SIDE = 128  # pixels; smooth colours contain all that a linear map can learn
_SHOWN_SIDE = 256
_TINY_FACTOR = 8  # TAESD's pictures are this many times as large as their latents


class Preview:
    """A small JPEG in the making, from values that the device may still be computing."""

    def __init__(self, numbers: torch.Tensor, encode: Callable[[torch.Tensor], bytes]) -> None:
        """Start copying ``numbers`` to the CPU, where ``encode`` makes a JPEG of them."""
        self._numbers = numbers.detach().to("cpu", non_blocking=True)
        self._arrived = DeviceEvent(numbers.device)
        self._encode = encode

    @property
    def is_here(self) -> bool:
        """Whether the values have arrived."""
        return self._arrived.is_reached

    def jpeg(self) -> bytes:
        """Wait for the values and return the JPEG."""
        self._arrived.wait()
        return self._encode(self._numbers)


class Previewer(Protocol):
    """Anything that turns clean latents into a preview."""

    def preview(self, latents: torch.Tensor) -> Preview:
        """Return the preview of latents (1, channels, height, width)."""
        ...


class LinearPreviewer:
    """A previewer in which each latent pixel becomes one pixel, whose colour is linear in the channels."""

    def __init__(self, coefficients: torch.Tensor) -> None:
        """Take coefficients (channels + 1, 3): one row for each channel and one for the constant term."""
        self._coefficients = coefficients

    def preview(self, latents: torch.Tensor) -> Preview:
        """Return the preview of latents (1, channels, height, width)."""
        return Preview(latents, self._encode)

    def _encode(self, latents: torch.Tensor) -> bytes:
        colours = _design_matrix(latents) @ self._coefficients
        return _jpeg(colours.view(*latents.shape[-2:], 3))


class TinyPreviewer:
    """A previewer that decodes latents with a tiny autoencoder, after shrinking them to the size shown."""

    def __init__(self, autoencoder: AutoencoderTiny) -> None:
        self._autoencoder = autoencoder

    def preview(self, latents: torch.Tensor) -> Preview:
        """Return the preview of latents (1, channels, height, width)."""
        shrink = _SHOWN_SIDE / _TINY_FACTOR / max(latents.shape[-2:])
        latents = latents.to(self._autoencoder.device, self._autoencoder.dtype)
        if shrink < 1:
            latents = interpolate(latents, scale_factor=shrink, mode="area")
        pixels = self._autoencoder.decode(latents, return_dict=False)[0]  # (1, 3, height, width), from -1 to 1
        return Preview(pixels[0].float(), lambda pixels: _jpeg(pixels.permute(1, 2, 0) / 2 + 0.5))


def tiny_previewer(file: Path, device: torch.device, dtype: torch.dtype) -> TinyPreviewer:
    """Load a tiny autoencoder with TAESD's architecture; raise ValueError for a file that holds anything else."""
    autoencoder: Any = AutoencoderTiny()
    try:
        autoencoder.load_state_dict(load_file(file))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError("not a tiny autoencoder") from error
    return TinyPreviewer(autoencoder.to(device, dtype).eval().requires_grad_(False))


def fitted_map(pipeline: Any, dtype: torch.dtype) -> Generator[None, None, torch.Tensor]:
    """Fit coefficients (channels + 1, 3) to the pipeline's autoencoder by least squares, in slices."""
    image = _smooth_colours()
    distribution = yield from encode_in_slices(pipeline, image, dtype)
    latents = scaled_latents(pipeline, distribution.mode(), dtype)
    height, width = latents.shape[-2:]
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX))
    colours = torch.from_numpy(small.copy()).view(-1, 3).float() / 255
    return torch.linalg.lstsq(_design_matrix(latents), colours).solution


def _jpeg(colours: torch.Tensor) -> bytes:
    """Return colours (height, width, 3) in 0..1 on the CPU as a JPEG whose longer side is ``_SHOWN_SIDE``."""
    pixels = (torch.nan_to_num(colours).clamp(0, 1) * 255).round().to(torch.uint8)
    small = Image.fromarray(pixels.numpy())
    factor = _SHOWN_SIDE / max(small.size)
    shown = small.resize(
        (max(1, round(small.width * factor)), max(1, round(small.height * factor))), Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _design_matrix(latents: torch.Tensor) -> torch.Tensor:
    """Return latents as a design matrix (pixels, channels + 1) on the CPU; its last column is 1."""
    rows = latents[0].detach().float().cpu().flatten(1).T
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


def _smooth_colours() -> Image.Image:
    """Return a picture of random smooth colours, both coarse and fine, always the same one."""
    random = np.random.default_rng(0)
    coarse, fine = (
        Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize(
            (_FITTED_SIDE, _FITTED_SIDE), Image.Resampling.BICUBIC
        )
        for cells in (4, 16)
    )
    return Image.blend(coarse, fine, 0.4)
