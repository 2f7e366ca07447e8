"""Applying a memory plan to a pipeline: what is moved, tiled, and stored in fewer bits."""

from typing import Any

import torch
from diffusers.models.embeddings import ImageProjection

from generation.models.memory_plan import MemoryPlan, Placement

_COMPONENTS = {"denoiser": ("unet", "transformer"), "autoencoder": ("vae", "movq")}


def place(pipeline: Any, plan: MemoryPlan, device: torch.device) -> None:
    """Hold a pipeline as planned; may be called again with a plan further down the ladder.

    No object that a caller refers to is replaced, so pictures in progress can go on.
    """
    denoiser, autoencoder = (_component(pipeline, names) for names in _COMPONENTS.values())
    if plan.tiles_pictures:
        for way in ("tiling", "slicing"):
            if hasattr(autoencoder, f"use_{way}"):  # Kandinsky's has neither, and its enable_tiling raises
                getattr(autoencoder, f"enable_{way}")()
    if plan.stores_float8 and not _stores_float8(denoiser):
        denoiser.enable_layerwise_casting(
            storage_dtype=torch.float8_e4m3fn,
            compute_dtype=getattr(torch, plan.dtype),
            # Kandinsky's denoiser reads this layer's dtype before the layer is upcast.
            skip_modules_classes=(ImageProjection,),
        )
    match plan.placement:
        case Placement.RESIDENT:
            pipeline.to(device)
        case Placement.MODEL_OFFLOAD:
            pipeline.enable_model_cpu_offload(device=device)
        case Placement.GROUP_OFFLOAD:
            pipeline.remove_all_hooks()
            pipeline.to("cpu")
            pipeline.enable_group_offload(
                onload_device=device,
                offload_type="leaf_level",
                use_stream=device.type == "cuda",
                # It is small; Kandinsky's cannot be offloaded this way, and one that uses tiling should not be.
                exclude_modules=list(_COMPONENTS["autoencoder"]),
            )


def make_room(pipeline: Any) -> None:
    """Move components off the device that the plan wants there only while they are used.

    diffusers does this when its own call gets to the next component. Pictures that are generated side by side use them
    in any order; without this, a text encoder would be loaded next to a denoiser that serves another picture.
    """
    for hook in getattr(pipeline, "_all_hooks", ()):
        hook.offload()


def _component(pipeline: Any, names: tuple[str, ...]) -> Any:
    return next(getattr(pipeline, name) for name in names if hasattr(pipeline, name))


def _stores_float8(module: torch.nn.Module) -> bool:
    return any(parameter.dtype is torch.float8_e4m3fn for parameter in module.parameters())
