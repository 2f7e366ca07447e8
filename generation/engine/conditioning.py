"""What a denoiser is told about a prompt: embeddings, and whatever else its family wants."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from generation.engine.denoising import Conditioning

Encode = Callable[[str], dict[str, torch.Tensor]]


def is_step_batched(pipeline: Any) -> bool:
    """Tell whether pictures of this pipeline can share calls of its denoiser."""
    return type(pipeline).__name__ in _TEXTS


def conditioning_for(
    pipeline: Any, prompt: str, negative_prompt: str, guidance_scale: float, *, encode: Encode
) -> Conditioning:
    """Return what the denoiser is told; ``encode`` makes the embeddings of one text: ``encode_text``, or a cache.

    A denoiser that was distilled with guidance inside (LCM) is told the guidance and needs no second row.
    Source: ``StableDiffusionImg2ImgPipeline.__call__`` of diffusers 0.42.
    """
    guidance_inside = pipeline.unet.config.time_cond_proj_dim is not None
    texts = [negative_prompt, prompt] if guidance_scale > 1 and not guidance_inside else [prompt]
    encoded = [encode(text) for text in texts]
    tensors = {name: torch.cat([each[name] for each in encoded]) for name in encoded[0]}
    if guidance_inside:
        embedded = pipeline.get_guidance_scale_embedding(
            torch.tensor([guidance_scale - 1]), embedding_dim=pipeline.unet.config.time_cond_proj_dim
        )
        states = tensors["encoder_hidden_states"]
        tensors["timestep_cond"] = embedded.to(states.device, states.dtype)
    return Conditioning(MappingProxyType(tensors), len(texts))


def encode_text(pipeline: Any, text: str) -> dict[str, torch.Tensor]:
    """Return the embeddings of one text, each with one row, by the names of the denoiser's arguments."""
    return _TEXTS[type(pipeline).__name__](pipeline, text)


def denoise(
    pipeline: Any, latents: torch.Tensor, timesteps: torch.Tensor, conditioning: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Call the denoiser once for all rows, each with a timestep of its own."""
    added = {name: conditioning[name] for name in ("text_embeds", "time_ids") if name in conditioning}
    return pipeline.unet(
        latents,
        timesteps,
        encoder_hidden_states=conditioning["encoder_hidden_states"],
        timestep_cond=conditioning.get("timestep_cond"),
        added_cond_kwargs=added or None,
        return_dict=False,
    )[0]


def _stable_diffusion_text(pipeline: Any, text: str) -> dict[str, torch.Tensor]:
    embeddings, _ = pipeline.encode_prompt(text, pipeline._execution_device, 1, False)
    return {"encoder_hidden_states": embeddings}


_TEXTS: Mapping[str, Callable[[Any, str], dict[str, torch.Tensor]]] = MappingProxyType(
    {"StableDiffusionImg2ImgPipeline": _stable_diffusion_text}
)
