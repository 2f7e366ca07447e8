"""Channels-last group normalization, fused with SiLU: three Triton kernels for NVIDIA GPUs.

torch's own kernel wants each channel contiguous, while convolutions are fastest with channels last. So the picture is
converted around every convolution: a quarter of a call of Stable Diffusion's denoiser on an H200.
"""

import math
from typing import Any

import torch
import triton
import triton.language as tl

_PIXELS, _CHANNELS = 128, 64  # in a program's tile: the channels of each pixel fill one cache line
_MOST_CHUNKS = 256  # of a picture; one program loops over each
_CHUNKS_AT_ONCE = 32


@triton.jit(do_not_specialize=["height_width", "chunk_pixels"])
def _sums_kernel(
    pixels, sums, height_width, chunk_pixels, channels, tile_pixels: tl.constexpr, tile_channels: tl.constexpr
):
    """Write the sum and the sum of squares of each channel in one chunk of one picture."""
    row, chunk = tl.program_id(0), tl.program_id(1)
    channel = tl.program_id(2) * tile_channels + tl.arange(0, tile_channels)
    total = tl.zeros((tile_channels,), tl.float32)
    squares = tl.zeros((tile_channels,), tl.float32)
    end = tl.minimum((chunk + 1) * chunk_pixels, height_width)
    for begin in range(chunk * chunk_pixels, end, tile_pixels):
        pixel = begin + tl.arange(0, tile_pixels)
        place = (row * height_width + pixel).to(tl.int64)[:, None] * channels + channel[None, :]
        mask = (pixel < end)[:, None] & (channel < channels)[None, :]
        values = tl.load(pixels + place, mask=mask, other=0.0).to(tl.float32)
        total += tl.sum(values, axis=0)
        squares += tl.sum(values * values, axis=0)
    out = sums + (row * tl.num_programs(1) + chunk) * 2 * channels + channel
    tl.store(out, total, mask=channel < channels)
    tl.store(out + channels, squares, mask=channel < channels)


@triton.jit(do_not_specialize=["height_width", "chunks"])
def _scales_kernel(
    sums, weight, bias, scales, eps, height_width, chunks, channels, width,
    padded_width: tl.constexpr, chunks_at_once: tl.constexpr,
):  # fmt: skip
    """Write the scale and the shift of each channel in one group of one picture."""
    row, group = tl.program_id(0), tl.program_id(1)
    within = tl.arange(0, padded_width)
    channel = group * width + within
    total = tl.zeros((padded_width,), tl.float32)
    squares = tl.zeros((padded_width,), tl.float32)
    for begin in range(0, chunks, chunks_at_once):
        chunk = begin + tl.arange(0, chunks_at_once)
        place = sums + (row * chunks + chunk)[:, None] * 2 * channels + channel[None, :]
        mask = (chunk < chunks)[:, None] & (within < width)[None, :]
        total += tl.sum(tl.load(place, mask=mask, other=0.0), axis=0)
        squares += tl.sum(tl.load(place + channels, mask=mask, other=0.0), axis=0)
    count = height_width * width
    mean = tl.sum(total, axis=0) / count
    variance = tl.maximum(tl.sum(squares, axis=0) / count - mean * mean, 0.0)
    inverse = tl.rsqrt(variance + eps)
    scale = inverse * tl.load(weight + channel, mask=within < width, other=0.0).to(tl.float32)
    shift = tl.load(bias + channel, mask=within < width, other=0.0).to(tl.float32) - mean * scale
    out = scales + row * 2 * channels + channel
    tl.store(out, scale, mask=within < width)
    tl.store(out + channels, shift, mask=within < width)


@triton.jit(do_not_specialize=["height_width"])
def _normalize_kernel(
    pixels, scales, normalized, height_width, channels,
    tile_pixels: tl.constexpr, tile_channels: tl.constexpr, activates: tl.constexpr,
):  # fmt: skip
    """Normalize a tile of one picture."""
    row = tl.program_id(0)
    pixel = tl.program_id(1) * tile_pixels + tl.arange(0, tile_pixels)
    channel = tl.program_id(2) * tile_channels + tl.arange(0, tile_channels)
    is_channel = channel < channels
    told = scales + row * 2 * channels + channel
    scale = tl.load(told, mask=is_channel, other=0.0)
    shift = tl.load(told + channels, mask=is_channel, other=0.0)
    place = (row * height_width + pixel).to(tl.int64)[:, None] * channels + channel[None, :]
    mask = (pixel < height_width)[:, None] & is_channel[None, :]
    values = tl.load(pixels + place, mask=mask, other=0.0).to(tl.float32) * scale[None, :] + shift[None, :]
    if activates:
        values = values * tl.sigmoid(values)
    tl.store(normalized + place, values, mask=mask)


def group_norm(
    pixels: torch.Tensor,
    groups: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    *,
    activates: bool = False,
) -> torch.Tensor:
    """Return what torch's ``group_norm`` returns, followed by ``silu`` if it ``activates``.

    ``pixels`` are (rows, channels, height, width) in channels-last format, and so is the result. Sums are accumulated
    in float32, in a different order.
    """
    rows, channels, height, width = pixels.shape
    height_width, tiles = height * width, math.ceil(height * width / _PIXELS)
    chunk_pixels = _PIXELS * math.ceil(tiles / _MOST_CHUNKS)
    chunks, blocks = math.ceil(height_width / chunk_pixels), math.ceil(channels / _CHANNELS)
    sums = torch.empty(rows, chunks, 2, channels, dtype=torch.float32, device=pixels.device)
    scales = torch.empty(rows, 2, channels, dtype=torch.float32, device=pixels.device)
    normalized = torch.empty_like(pixels, memory_format=torch.channels_last)
    # Compile-time constants; typed as Any because the kernels declare them as tl.constexpr.
    tile: Any = {"tile_pixels": _PIXELS, "tile_channels": _CHANNELS}
    group: Any = {"padded_width": triton.next_power_of_2(channels // groups), "chunks_at_once": _CHUNKS_AT_ONCE}
    activation: Any = {"activates": activates}
    _sums_kernel[rows, chunks, blocks](pixels, sums, height_width, chunk_pixels, channels, **tile)
    _scales_kernel[rows, groups](
        sums, weight, bias, scales, eps, height_width, chunks, channels, channels // groups, **group
    )
    _normalize_kernel[rows, tiles, blocks](pixels, scales, normalized, height_width, channels, **tile, **activation)
    return normalized
