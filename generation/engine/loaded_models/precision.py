"""A pipeline in float32 for a while, for a picture that came out broken in a shorter format."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from generation.engine.kernels.packing import unpack_layers


def can_be_widened(pipeline: Any) -> bool:
    """Tell whether there is something to convert: not where all is float32, nor where hooks hold the weights."""
    parts = _parts(pipeline)
    tensors = [tensor for part in parts for tensor in _floating(part)]
    hooked = any(hasattr(module, "_diffusers_hook") for part in parts for module in part.modules())
    return not hooked and not any(tensor.is_meta for tensor in tensors) and any(map(_is_short, tensors))


@contextlib.contextmanager
def in_float32(pipeline: Any) -> Iterator[None]:
    """Compute in float32 within; afterwards every weight is what it was, bit for bit.

    Takes up to twice the memory meanwhile. Nobody else may use the pipeline, nor what was compiled for it.
    """
    unpack_layers(_parts(pipeline))
    short = [(tensor, tensor.dtype) for part in _parts(pipeline) for tensor in _floating(part) if _is_short(tensor)]
    try:
        for tensor, _ in short:
            tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, dtype in short:
            tensor.data = tensor.data.to(dtype)


def _parts(pipeline: Any) -> list[torch.nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _floating(part: torch.nn.Module) -> Iterator[torch.Tensor]:
    for tensor in (*part.parameters(), *part.buffers()):
        if tensor.is_floating_point():
            yield tensor


def _is_short(tensor: torch.Tensor) -> bool:
    return tensor.dtype != torch.float32
