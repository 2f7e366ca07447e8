"""Texts that a text encoder does not take as they are: weighted, or longer than it can read at once.

compel (https://github.com/damian0815/compel) weights parts and encodes long texts in chunks, cut at the ends of
sentences. A text that needs neither is left to diffusers' own code, and its embeddings stay the same to the bit.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from generation.prompt_weights import fragments_of


def needs_compel(pipeline: Any, text: str) -> bool:
    """Tell whether a text has weights, or more tokens than the text encoder can read at once."""
    fragments = fragments_of(text)
    if len(fragments) > 1 or fragments[0].weight != 1.0:
        return True
    tokenizer = pipeline.tokenizer_2 if pipeline.tokenizer is None else pipeline.tokenizer  # as in XL's refiner
    return len(tokenizer(text).input_ids) > tokenizer.model_max_length


def stable_diffusion_text(pipeline: Any, text: str) -> Mapping[str, torch.Tensor]:
    """Return the embeddings of a text for Stable Diffusion: (1, 77 per chunk, width)."""
    from compel import ReturnedEmbeddingsType  # a slow import that few need

    kind = ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED
    states = _compel_embeddings(pipeline.tokenizer, pipeline.text_encoder, kind, text, pipeline._execution_device)
    return {"encoder_hidden_states": states}


def stable_diffusion_xl_text(pipeline: Any, text: str) -> Mapping[str, torch.Tensor]:
    """Return the embeddings of a text for Stable Diffusion XL, and the second encoder's pooled output.

    The pooled output covers only the beginning of a long text.
    """
    from compel import ReturnedEmbeddingsType

    kind = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
    pairs = ((pipeline.tokenizer, pipeline.text_encoder), (pipeline.tokenizer_2, pipeline.text_encoder_2))
    device = pipeline._execution_device
    states = [_compel_embeddings(*pair, kind, text, device) for pair in pairs if pair[1] is not None]
    plain = " ".join(fragment.text for fragment in fragments_of(text))
    _, _, pooled, _ = pipeline.encode_prompt(plain, device=device, do_classifier_free_guidance=False)
    return {"encoder_hidden_states": torch.cat(states, dim=-1), "text_embeds": pooled}


def as_long(
    shorter: Mapping[str, torch.Tensor], longer: Mapping[str, torch.Tensor], empty: Mapping[str, torch.Tensor]
) -> Mapping[str, torch.Tensor]:
    """Pad the shorter embeddings to as many chunks as the longer ones, with chunks of the empty text."""
    name = "encoder_hidden_states"
    chunks = (longer[name].shape[1] - shorter[name].shape[1]) // empty[name].shape[1]
    if chunks <= 0:
        return shorter
    return {**shorter, name: torch.cat([shorter[name], *[empty[name]] * chunks], dim=1)}


def _compel_embeddings(tokenizer: Any, text_encoder: Any, kind: Any, text: str, device: Any) -> torch.Tensor:
    """Return the embeddings on the device that computes; until then the text encoder's weights may be elsewhere."""
    from compel import EmbeddingsProvider

    provider = EmbeddingsProvider(
        tokenizer,
        text_encoder,
        dtype_for_device_getter=partial(_dtype_of, text_encoder),
        truncate=False,
        returned_embeddings_type=kind,
        device=device,
    )
    fragments = fragments_of(text)
    states = provider.get_embeddings_for_weighted_prompt_fragments(
        text_batch=[[fragment.text for fragment in fragments]],
        fragment_weights_batch=[[fragment.weight for fragment in fragments]],
        device=device,
    )
    assert isinstance(states, torch.Tensor), "tokens come beside it only where they are asked for"
    return states.to(device)


def _dtype_of(text_encoder: Any, _: torch.device) -> torch.dtype:
    return text_encoder.dtype
