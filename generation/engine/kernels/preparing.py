"""How a loaded pipeline computes on this device: memory format, attention, and dtypes that overflow."""

from collections.abc import Iterator
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from generation.engine.kernels.attention_processor import CpuAttnProcessor
from generation.engine.kernels.channels_last import has_only_2d_convolutions, keep_channels_last, put_channels_last
from generation.engine.kernels.in_place import compute_in_place
from generation.engine.kernels.packing import let_layers_pack, pack_layers, packable_bytes
from generation.engine.kernels.probe import (
    blocked_attention_pays,
    channels_last_norm_pays,
    channels_last_pays,
    packing_pays,
    padded_attention_pays,
)


def prepare_kernels(pipeline: Any, device: torch.device, dtype: torch.dtype, *, may_pack: bool = True) -> int:
    """Make a pipeline compute in the way that was measured to be fastest here; call once, after loading.

    ``may_pack`` says that the weights stay where they are and are used unchanged. Returns the bytes of the denoiser's
    weights that can be packed.

    In float32 nothing changes: a picture stays, bit for bit, the one that diffusers generates. In the 16-bit dtypes,
    which round anyway, residual blocks compute in place. Where it pays off, pictures are channels-last; on CPUs,
    weights are packed, attention over many tokens runs in blocks, and attention over a prompt's tokens is padded.
    """
    if dtype == torch.float32:
        return 0
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            prepare_part(part, device, dtype, may_pack=may_pack)
    if dtype == torch.bfloat16:
        _disable_upcast(pipeline)
    return sum(map(packable_bytes, _denoisers(pipeline)))


def pack_denoiser(pipeline: Any) -> Iterator[None]:
    """Pack the denoiser's weights, which are most of the model, one layer per iteration, so that no picture waits."""
    for part in _denoisers(pipeline):
        yield from pack_layers(part)


def _denoisers(pipeline: Any) -> list[torch.nn.Module]:
    parts = (getattr(pipeline, name, None) for name in ("unet", "transformer"))
    return [part for part in parts if part is not None]


def prepare_part(part: Any, device: torch.device, dtype: torch.dtype, *, may_pack: bool = True) -> None:
    """Prepare one part of a pipeline, such as its denoiser; see ``prepare_kernels``."""
    if dtype == torch.float32:
        return
    compute_in_place(part)
    if device.type != "mps" and has_only_2d_convolutions(part):
        if may_pack and device.type == "cpu" and dtype == torch.bfloat16 and packing_pays():
            let_layers_pack(part)
        elif device.type == "cuda" and channels_last_norm_pays(device, dtype):
            put_channels_last(part)
            keep_channels_last(part)
        elif channels_last_pays(device, dtype):
            put_channels_last(part)
    if device.type == "cpu" and _has_standard_attention(part):
        in_blocks, pads_keys = blocked_attention_pays(device, dtype), padded_attention_pays(device, dtype)
        if in_blocks or pads_keys:
            part.set_attn_processor(CpuAttnProcessor(in_blocks=in_blocks, pads_keys=pads_keys))


def _has_standard_attention(part: Any) -> bool:
    processors = getattr(part, "attn_processors", {})
    return bool(processors) and all(type(processor) is AttnProcessor2_0 for processor in processors.values())


def _disable_upcast(pipeline: Any) -> None:
    """Keep an autoencoder in bfloat16 even if it would overflow in float16.

    ``force_upcast`` makes diffusers compute SDXL's autoencoder in float32, because its activations exceed the largest
    float16 number (65504). bfloat16 has the range of float32, so there it would only cost time and memory.
    """
    autoencoder = getattr(pipeline, "vae", None)
    if autoencoder is not None and getattr(autoencoder.config, "force_upcast", False):
        autoencoder.register_to_config(force_upcast=False)
