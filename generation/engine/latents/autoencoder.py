"""Pictures to latents and back, in slices, so that the device can serve others in between.

Decoding a picture of 512 x 512 costs as much as two calls of the denoiser. The code that advances these generators
decides what runs between two slices; the result is what the autoencoder's own methods return, bit for bit. An
autoencoder runs one generator at a time, because its dtype may be changed meanwhile.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image
from torch.nn.functional import adaptive_max_pool2d

Distribution = Any  # a DiagonalGaussianDistribution, or what another autoencoder has instead


def encode_in_slices(pipeline: Any, image: Image.Image, dtype: torch.dtype) -> Generator[None, None, Distribution]:
    """Return the distribution of a picture's latents; which sample of it is used depends on the seed.

    Source: ``AutoencoderKL.encode`` of diffusers 0.42.
    """
    vae = pipeline.vae
    pixels = pixels_of(image, pipeline._execution_device).to(dtype)
    with _in_float32(vae, overflows(pipeline)):
        pixels = pixels.to(vae.dtype)
        if not _can_be_sliced(vae):
            return vae.encode(pixels).latent_dist
        encoder = vae.encoder
        sample = yield from _run_blocks([encoder.conv_in, *encoder.down_blocks, encoder.mid_block], pixels)
        moments = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(sample)))
        return DiagonalGaussianDistribution(moments if vae.quant_conv is None else vae.quant_conv(moments))


def pixels_of(image: Image.Image, device: torch.device) -> torch.Tensor:
    """Return a picture's pixels (1, 3, height, width) in -1..1, float32, in channels-last format.

    The values are those of diffusers' ``VaeImageProcessor.preprocess``, computed on the device: bytes are faster to
    transfer, and computing on the CPU would keep a GPU waiting.
    """
    pixels = torch.from_numpy(np.array(image)[None]).to(device).permute(0, 3, 1, 2)
    # Divided by a tensor: for a Python number, CUDA multiplies by its inverse instead, which rounds differently.
    return pixels.float() / torch.full((1,), 255.0, device=device) * 2 - 1


def latents_mask(mask: Image.Image, latents: torch.Tensor) -> torch.Tensor:
    """Return a mask of pixels (L) as one of ``latents`` (1, 1, height, width): 1 where any of its pixels is masked."""
    pixels = torch.from_numpy(np.array(mask)[None, None]).to(latents.device)
    return (adaptive_max_pool2d(pixels.float(), latents.shape[-2:]) > 0).to(latents.dtype)


def clean_latents(
    pipeline: Any, distribution: Distribution, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Sample the latents that a picture starts from."""
    return scaled_latents(pipeline, distribution.sample(generator), dtype)


def scaled_latents(pipeline: Any, latents: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Scale the autoencoder's latents to what the denoiser expects."""
    config, latents = pipeline.vae.config, latents.to(dtype)
    if _has_statistics(config):
        mean, std = _statistics(config, latents)
        return (latents - mean) * config.scaling_factor / std
    return config.scaling_factor * latents


def decode_in_slices(pipeline: Any, latents: torch.Tensor) -> Generator[None, None, torch.Tensor]:
    """Decode denoised latents; return pixels (1, 3, height, width) in 0..1.

    Source: ``AutoencoderKL.decode`` of diffusers 0.42.
    """
    vae = pipeline.vae
    with _in_float32(vae, overflows(pipeline) and vae.dtype == torch.float16):
        latents = latents.to(vae.dtype)
        if _has_statistics(vae.config):
            mean, std = _statistics(vae.config, latents)
            latents = latents * std / vae.config.scaling_factor + mean
        else:
            latents = latents / vae.config.scaling_factor
        if _can_be_sliced(vae):
            decoder = vae.decoder
            sample = latents if vae.post_quant_conv is None else vae.post_quant_conv(latents)
            sample = yield from _run_blocks([decoder.conv_in, decoder.mid_block, *decoder.up_blocks], sample)
            pixels = decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(sample)))
        else:
            pixels = vae.decode(latents, return_dict=False)[0]
    return pipeline.image_processor.postprocess(pixels, output_type="pt")


def _run_blocks(blocks: Iterable[Any], sample: torch.Tensor) -> Generator[None, None, torch.Tensor]:
    for block in blocks:
        sample = block(sample)
        yield
    return sample


def _can_be_sliced(vae: Any) -> bool:
    """Tell whether running the blocks one by one is all there is to it: no tiling, and no hooks that move weights."""
    hooked = any(hasattr(part, "_hf_hook") for part in vae.modules())
    return type(vae) is AutoencoderKL and not vae.use_tiling and not hooked


def overflows(pipeline: Any) -> bool:
    """Tell whether the autoencoder overflows in float16.

    Stable Diffusion XL's does, and its configuration says so; Stable Diffusion's says so too, but does not overflow.
    """
    return type(pipeline).__name__ == "StableDiffusionXLImg2ImgPipeline" and pipeline.vae.config.force_upcast


@contextmanager
def _in_float32(vae: Any, wanted: bool) -> Iterator[None]:
    dtype = vae.dtype
    if not wanted or dtype == torch.float32:
        yield
        return
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(dtype)


def _has_statistics(config: Any) -> bool:
    return config.get("latents_mean") is not None and config.get("latents_std") is not None


def _statistics(config: Any, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (config.latents_mean, config.latents_std))
    return mean.to(latents.device, latents.dtype), std.to(latents.device, latents.dtype)
