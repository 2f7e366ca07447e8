"""A model temporarily in float32, for a picture that came out broken in a narrower dtype."""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from generation.engine.device import free_bytes, free_memory
from generation.engine.kernels.packing import unpack_layers
from generation.engine.loaded_models.loading import LoadedModel, load_model
from generation.models.memory_plan import Placement

_MEMORY_FACTOR = 1.5  # times the second copy's weights: computing with them takes room too


def can_be_widened(model: LoadedModel) -> bool:
    """Tell whether any of the model is narrower than float32, and whether this machine has the memory to widen it."""
    if not any(_is_short(tensor) for part in _parts(model.pipeline) for tensor in _floating(part)):
        return False
    needed_bytes = _MEMORY_FACTOR * _float32_bytes(model.pipeline)
    return not _is_hooked(model.pipeline) or free_bytes(torch.device("cpu")) > needed_bytes


@contextlib.contextmanager
def widened(model: LoadedModel) -> Iterator[LoadedModel]:
    """Yield the model in float32: itself, or, where hooks hold its weights, a second copy loaded from its files.

    Nobody else may use the model meanwhile, and graphs captured of it are dropped. A second copy is kept in main
    memory; the device holds only those of its weights that are being used.
    """
    if not _is_hooked(model.pipeline):
        with (
            model.fast_denoiser.resting() if model.fast_denoiser else contextlib.nullcontext(),
            in_float32(model.pipeline),
        ):
            yield model
        return
    device = model.pipeline._execution_device
    placement = Placement.RESIDENT if device.type == "cpu" else Placement.GROUP_OFFLOAD
    plan = replace(model.plan, dtype="float32", placement=placement, stores_float8=False)
    second = [load_model(model.entry, model.files, device, torch.float32, plan, model.locate)]
    try:
        yield second[0]
    finally:
        second.clear()
        gc.collect()
        free_memory(device)


@contextlib.contextmanager
def in_float32(pipeline: Any) -> Iterator[None]:
    """Compute in float32 inside the block; afterwards every weight is what it was, bit for bit.

    Takes up to twice the memory meanwhile. Nobody else may use the pipeline, or what was compiled for it.
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


def _is_hooked(pipeline: Any) -> bool:
    """Tell whether hooks move the weights or change their dtype; they would not notice a change made here."""
    return any(hasattr(module, "_diffusers_hook") for part in _parts(pipeline) for module in part.modules())


def _float32_bytes(pipeline: Any) -> int:
    return sum(4 * tensor.numel() for part in _parts(pipeline) for tensor in _floating(part))


def _parts(pipeline: Any) -> list[torch.nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _floating(part: torch.nn.Module) -> Iterator[torch.Tensor]:
    for tensor in (*part.parameters(), *part.buffers()):
        if tensor.is_floating_point():
            yield tensor


def _is_short(tensor: torch.Tensor) -> bool:
    return tensor.dtype != torch.float32
