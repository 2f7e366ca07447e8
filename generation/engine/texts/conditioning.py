"""What a denoiser is told about a prompt: embeddings, and whatever else its family needs."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.texts import weighting
from generation.engine.texts.captured_texts import captured_text_encoders
from generation.prompt_weights import without_escapes

# From one text to tensors of one row each, keyed by the names of the denoiser's arguments.
EncodeText = Callable[[str], Mapping[str, torch.Tensor]]

# Stable Diffusion XL's refiner is conditioned on an aesthetic score; these are its pipeline's defaults.
_AESTHETIC_SCORES = (6.0, 2.5)


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the denoiser is told besides latents and timestep: tensors keyed by argument name.

    Each has one row, or two with classifier-free guidance: first the negative prompt's, then the prompt's.
    """

    tensors: Mapping[str, torch.Tensor]
    rows: int

    @property
    def key(self) -> Hashable:
        """What two of them must have in common to share a call."""
        return tuple((name, tuple(tensor.shape[1:]), tensor.dtype) for name, tensor in sorted(self.tensors.items()))


def is_step_batched(pipeline: Any) -> bool:
    """Tell whether pictures of this pipeline can share calls of its denoiser."""
    return type(pipeline).__name__ in _TEXTS


def encode_text(pipeline: Any, text: str, graphs: CudaGraphs | None = None) -> Mapping[str, torch.Tensor]:
    """Return the embeddings of one text; with ``graphs``, by replay, if no weights have moved since capture."""
    with captured_text_encoders(pipeline, graphs):
        return _TEXTS[type(pipeline).__name__](pipeline, text)


def conditioning_for(
    pipeline: Any, arguments: Mapping[str, Any], size: tuple[int, int], encode: EncodeText
) -> Conditioning:
    """Return what the denoiser is told for a picture of ``size`` (width, height).

    ``arguments`` are those that the pipeline would be called with. A guidance-distilled denoiser (LCM) is given the
    guidance scale as an input and needs no second row.
    Source: ``__call__`` of ``StableDiffusionImg2ImgPipeline`` and of its XL counterpart, diffusers 0.42.
    """
    guidance_scale, embedding_dim = arguments["guidance_scale"], pipeline.unet.config.time_cond_proj_dim
    encoded = _encoded(pipeline, arguments, encode)
    tensors = {name: torch.cat([each[name] for each in encoded]) for name in encoded[0]}
    states = tensors["encoder_hidden_states"]
    if embedding_dim is not None:
        guidance = pipeline.get_guidance_scale_embedding(torch.tensor([guidance_scale - 1]), embedding_dim)
        tensors["timestep_cond"] = guidance.to(states.device, states.dtype)
    if "text_embeds" in tensors:
        tensors["time_ids"] = _time_ids(pipeline, size, states, tensors["text_embeds"].shape[-1])[-len(encoded) :]
    return Conditioning(MappingProxyType(tensors), len(encoded))


def embedded_texts(pipeline: Any, arguments: Mapping[str, Any], encode: EncodeText) -> dict[str, Any]:
    """Return the arguments that the pipeline accepts in place of the texts among its ``arguments``."""
    told: dict[str, Any] = {"prompt": None, "negative_prompt": None}
    for side, tensors in zip(("", "negative_"), reversed(_encoded(pipeline, arguments, encode)), strict=False):
        told[f"{side}prompt_embeds"] = tensors["encoder_hidden_states"]
        if "text_embeds" in tensors:
            told[f"{side}pooled_prompt_embeds"] = tensors["text_embeds"]
    return told


def _encoded(pipeline: Any, arguments: Mapping[str, Any], encode: EncodeText) -> list[Mapping[str, torch.Tensor]]:
    """Return the embeddings of the negative prompt, if it has a row, and of the prompt, all of the same length."""
    encoded = [encode(arguments["prompt"])]
    if arguments["guidance_scale"] > 1 and pipeline.unet.config.time_cond_proj_dim is None:
        encoded.insert(0, _negative(pipeline, arguments["negative_prompt"], encoded[0], encode))
        if len({each["encoder_hidden_states"].shape for each in encoded}) > 1:
            negative, positive = encoded
            empty = encode("")
            encoded = [weighting.as_long(negative, positive, empty), weighting.as_long(positive, negative, empty)]
    return encoded


def _negative(
    pipeline: Any, text: str | None, positive: Mapping[str, torch.Tensor], encode: EncodeText
) -> Mapping[str, torch.Tensor]:
    if text is None and pipeline.config.get("force_zeros_for_empty_prompt"):
        return {name: torch.zeros_like(tensor) for name, tensor in positive.items()}
    return encode(text or "")


def _time_ids(pipeline: Any, size: tuple[int, int], states: torch.Tensor, text_width: int) -> torch.Tensor:
    """Return Stable Diffusion XL's size conditioning: the negative prompt's row, then the prompt's."""
    height_width = (size[1], size[0])
    positive, negative = pipeline._get_add_time_ids(
        height_width,
        (0, 0),
        height_width,
        *_AESTHETIC_SCORES,
        height_width,
        (0, 0),
        height_width,
        dtype=states.dtype,
        text_encoder_projection_dim=text_width,
    )
    return torch.cat([negative, positive]).to(states.device)


def _stable_diffusion_text(pipeline: Any, text: str) -> Mapping[str, torch.Tensor]:
    if weighting.needs_compel(pipeline, text):
        return weighting.stable_diffusion_text(pipeline, text)
    states, _ = pipeline.encode_prompt(without_escapes(text), pipeline._execution_device, 1, False)
    return {"encoder_hidden_states": states}


def _stable_diffusion_xl_text(pipeline: Any, text: str) -> Mapping[str, torch.Tensor]:
    if weighting.needs_compel(pipeline, text):
        return weighting.stable_diffusion_xl_text(pipeline, text)
    states, _, pooled, _ = pipeline.encode_prompt(
        without_escapes(text), device=pipeline._execution_device, do_classifier_free_guidance=False
    )
    return {"encoder_hidden_states": states, "text_embeds": pooled}


_TEXTS: Mapping[str, Callable[[Any, str], Mapping[str, torch.Tensor]]] = MappingProxyType(
    {
        "StableDiffusionImg2ImgPipeline": _stable_diffusion_text,
        "StableDiffusionXLImg2ImgPipeline": _stable_diffusion_xl_text,
    }
)
