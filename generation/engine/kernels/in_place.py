"""Residual blocks that compute in place: the same numbers, without new memory for each intermediate result.

At 512 pixels, a fifth of an autoencoder's decoding time went into new pages for sums, activations and divisions by one.
"""

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch.nn import functional

from generation.engine.kernels.channels_last import ChannelsLastGroupNorm


class InPlaceResnetBlock(ResnetBlock2D):
    """diffusers' block, bit for bit, for use without gradients."""

    def forward(
        self, input_tensor: torch.Tensor, temb: torch.Tensor | None = None, *_: object, **__: object
    ) -> torch.Tensor:
        """Compute (rows, channels, height, width); ``temb`` is (rows, width of the time embedding), or None."""
        hidden_states = self.conv1(_activated(self.norm1, input_tensor))
        if self.time_emb_proj is not None and temb is not None:
            hidden_states += self.time_emb_proj(functional.silu(temb))[:, :, None, None]
        hidden_states = self.conv2(_activated(self.norm2, hidden_states))
        return hidden_states.add_(input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor))


def _activated(norm: torch.nn.Module, hidden_states: torch.Tensor) -> torch.Tensor:
    if isinstance(norm, ChannelsLastGroupNorm):
        return norm(hidden_states, activates=True)
    return functional.silu(norm(hidden_states), inplace=True)


def compute_in_place(part: torch.nn.Module) -> None:
    """Make the residual blocks of a part compute in place, if they are of the usual kind."""
    for layer in part.modules():
        if type(layer) is ResnetBlock2D and _has_standard_settings(layer):
            layer.__class__ = InPlaceResnetBlock


def _has_standard_settings(block: ResnetBlock2D) -> bool:
    return (
        type(block.nonlinearity) is torch.nn.SiLU
        and block.upsample is None
        and block.downsample is None
        and (block.time_embedding_norm == "default" or block.time_emb_proj is None)
        and not block.skip_time_act
        and block.output_scale_factor == 1.0
        and block.dropout.p == 0.0
    )
