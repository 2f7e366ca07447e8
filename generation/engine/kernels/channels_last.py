"""The channels-last memory format for convolutions, and a group normalization that preserves it."""

import torch
from torch.nn import functional

from generation.engine.kernels.mapped_files import MappedFiles


class ChannelsLastGroupNorm(torch.nn.GroupNorm):
    """torch's layer, computed by Triton kernels for channels-last pictures on an NVIDIA GPU."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it input
        self, hidden_states: torch.Tensor, *, activates: bool = False
    ) -> torch.Tensor:
        """Normalize (rows, channels, ...), followed by SiLU if it ``activates``."""
        is_picture = hidden_states.ndim == 4 and hidden_states.is_contiguous(memory_format=torch.channels_last)
        if is_picture and _is_on_gpu(hidden_states):
            from generation.engine.kernels.group_norm import group_norm  # Triton is not everywhere

            return group_norm(hidden_states, self.num_groups, self.weight, self.bias, self.eps, activates=activates)
        normalized = super().forward(hidden_states)
        return functional.silu(normalized, inplace=True) if activates else normalized


def _is_on_gpu(pixels: torch.Tensor) -> bool:
    return pixels.is_cuda


def put_channels_last(part: torch.nn.Module) -> None:
    """Convert convolution weights to channels-last one by one, so that each old one frees memory for the next."""
    files = MappedFiles()
    for parameter in part.parameters():
        if parameter.dim() == 4:
            before = parameter.data
            parameter.data = before.to(memory_format=torch.channels_last)
            if parameter.data_ptr() != before.data_ptr():
                files.release_pages(before)


def keep_channels_last(part: torch.nn.Module) -> None:
    """Make the group normalizations of a part preserve the channels-last format."""
    for layer in part.modules():
        if type(layer) is torch.nn.GroupNorm and layer.affine:
            layer.__class__ = ChannelsLastGroupNorm


def forget_channels_last(part: torch.nn.Module) -> None:
    """Give a part torch's own group normalizations back."""
    for layer in part.modules():
        if type(layer) is ChannelsLastGroupNorm:
            layer.__class__ = torch.nn.GroupNorm  # pyright: ignore[reportAttributeAccessIssue] - which it was before


def has_only_2d_convolutions(part: torch.nn.Module) -> bool:
    """Tell whether a part has 2D convolutions and no 3D ones, which need a different memory format."""
    dimensions = {parameter.dim() for parameter in part.parameters()}
    return 4 in dimensions and 5 not in dimensions
