"""Pictures to latents and back, in slices, so that the device serves others in between.

Decoding a picture of 512 x 512 costs as much as two calls of the denoiser. Whoever advances these generators decides
what is done between two slices; what comes out is what the autoencoder's own methods return, bit for bit.
"""

from collections.abc import Generator, Iterable
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

Slices = Generator[None, None, torch.Tensor]


def encode_in_slices(
    pipeline: Any, image: Image.Image, dtype: torch.dtype
) -> Generator[None, None, DiagonalGaussianDistribution]:
    """Return the distribution of a picture's latents; a sample of it belongs to a seed.

    Source: ``AutoencoderKL.encode`` of diffusers 0.42.
    """
    vae = pipeline.vae
    pixels = pipeline.image_processor.preprocess(image).to(device=pipeline._execution_device, dtype=dtype)
    if not _can_be_sliced(vae):
        return vae.encode(pixels).latent_dist
    encoder = vae.encoder
    blocks = [encoder.conv_in, *encoder.down_blocks, encoder.mid_block]
    moments = yield from _through(blocks, pixels)
    moments = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(moments)))
    return DiagonalGaussianDistribution(moments if vae.quant_conv is None else vae.quant_conv(moments))


def decode_in_slices(pipeline: Any, latents: torch.Tensor) -> Slices:
    """Return the pixels (1, 3, height, width) in 0..1 of denoised latents.

    Source: ``AutoencoderKL.decode`` of diffusers 0.42.
    """
    vae = pipeline.vae
    latents = latents / vae.config.scaling_factor
    if _can_be_sliced(vae):
        decoder = vae.decoder
        sample = latents if vae.post_quant_conv is None else vae.post_quant_conv(latents)
        sample = yield from _through([decoder.conv_in, decoder.mid_block, *decoder.up_blocks], sample)
        pixels = decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(sample)))
    else:
        pixels = vae.decode(latents, return_dict=False)[0]
    return pipeline.image_processor.postprocess(pixels, output_type="pt")


def _through(blocks: Iterable[Any], sample: torch.Tensor) -> Slices:
    for block in blocks:
        sample = block(sample)
        yield
    return sample


def _can_be_sliced(vae: Any) -> bool:
    """Not where the whole is more than its blocks: tiles, and hooks that bring weights to the device."""
    hooked = any(hasattr(part, "_hf_hook") or hasattr(part, "_diffusers_hook") for part in vae.modules())
    return type(vae) is AutoencoderKL and not vae.use_tiling and not hooked
