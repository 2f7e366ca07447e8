"""Where a pipeline's transformer blocks attend with ``blocked_attention`` instead of torch's own kernel."""

from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from generation.engine.blocked_attention import blocked_attention

# Below, torch's kernel has so little to do that calling it once is what counts: 512 x 512 tokens.
MIN_SCORES = 512 * 512


class BlockedAttnProcessor(AttnProcessor2_0):
    """Attend with ``blocked_attention`` where many tokens look at many; everything else is diffusers' own way."""

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
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if attention_mask is not None or not _is_plain(attn, hidden_states) or not _is_large(hidden_states, context):
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, temb, *args, **kwargs)
        query, key, value = (
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        attended = blocked_attention(query, key, value).transpose(1, 2).flatten(2)
        for layer in attn.to_out:  # a projection and its dropout
            attended = layer(attended)
        return (attended + hidden_states if attn.residual_connection else attended) / attn.rescale_output_factor


def _is_large(hidden_states: torch.Tensor, context: torch.Tensor) -> bool:
    return hidden_states.shape[1] * context.shape[1] >= MIN_SCORES


def _is_plain(attn: Any, hidden_states: torch.Tensor) -> bool:
    """Tell whether this is the attention of a transformer block: tokens in, tokens out, nothing normalized within."""
    extras = (attn.spatial_norm, attn.group_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
    return hidden_states.ndim == 3 and not any(extras)
