"""An eager call of a denoiser."""

from collections.abc import Mapping
from typing import Any

import torch


def denoise(
    pipeline: Any, latents: torch.Tensor, timesteps: torch.Tensor, conditioning: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Call the denoiser once for all rows, each at its own timestep."""
    added = {name: conditioning[name] for name in ("text_embeds", "time_ids") if name in conditioning}
    return pipeline.unet(
        latents,
        timesteps,
        encoder_hidden_states=conditioning["encoder_hidden_states"],
        timestep_cond=conditioning.get("timestep_cond"),
        added_cond_kwargs=added or None,
        return_dict=False,
    )[0]
