"""The attention processor that replaces diffusers' own in transformer blocks on a CPU."""

from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn import functional

from generation.engine.kernels.cpu_attention import blocked_attention, padded_attention

# 512 x 512 tokens; below, torch's kernel has so little to do that one call beats several small ones.
MIN_SCORES = 512 * 512


class CpuAttnProcessor(AttnProcessor2_0):
    """Blocked attention where many tokens attend to many, padded keys elsewhere; either can be switched off."""

    def __init__(self, *, in_blocks: bool, pads_keys: bool) -> None:
        """Remember which of the two pays off on this machine."""
        super().__init__()
        self._in_blocks = in_blocks
        self._attend_usually = padded_attention if pads_keys else functional.scaled_dot_product_attention

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Attend over (batch, tokens, channels); called by diffusers' ``Attention``."""
        if attention_mask is not None or not _is_plain(attn, hidden_states):
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, temb, *args, **kwargs)
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        is_large = hidden_states.shape[1] * context.shape[1] >= MIN_SCORES
        attend = blocked_attention if self._in_blocks and is_large else self._attend_usually
        attended = attend(query, key, value).transpose(1, 2).flatten(2)
        for layer in attn.to_out:  # a projection and its dropout
            attended = layer(attended)
        if attn.residual_connection:
            attended = attended + hidden_states
        # Dividing by one would still make a copy.
        return attended if attn.rescale_output_factor == 1.0 else attended / attn.rescale_output_factor


def _is_plain(attn: Any, hidden_states: torch.Tensor) -> bool:
    """Tell whether this is the attention of a transformer block: tokens in, tokens out, no normalization inside."""
    extras = (attn.spatial_norm, attn.group_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
    return hidden_states.ndim == 3 and not any(extras)
