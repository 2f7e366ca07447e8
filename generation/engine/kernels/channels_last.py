"""The channels of convolutions innermost in memory, and a group normalization that leaves them there."""

import torch
from torch.nn import functional

from generation.engine.kernels.mapped_files import MappedFiles


class ChannelsLastGroupNorm(torch.nn.GroupNorm):
    """torch's layer, by kernels of Triton for pictures on an NVIDIA card whose channels are innermost."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it input
        self, hidden_states: torch.Tensor, *, activates: bool = False
    ) -> torch.Tensor:
        """Normalize (rows, channels, ...), with SiLU behind it if it ``activates``."""
        is_picture = hidden_states.ndim == 4 and hidden_states.is_contiguous(memory_format=torch.channels_last)
        if is_picture and _lies_on_a_card(hidden_states):
            from generation.engine.kernels.group_norm import group_norm  # imports Triton, which is not everywhere

            return group_norm(hidden_states, self.num_groups, self.weight, self.bias, self.eps, activates=activates)
        normalized = super().forward(hidden_states)
        return functional.silu(normalized, inplace=True) if activates else normalized


def _lies_on_a_card(pixels: torch.Tensor) -> bool:
    return pixels.is_cuda


def put_channels_last(part: torch.nn.Module) -> None:
    """Lay the weights of convolutions out anew, one by one: each old one makes room for the next new one."""
    files = MappedFiles()
    for parameter in part.parameters():
        if parameter.dim() == 4:
            before = parameter.data
            parameter.data = before.to(memory_format=torch.channels_last)
            if parameter.data_ptr() != before.data_ptr():
                files.let_go(before)


def keep_channels_last(part: torch.nn.Module) -> None:
    """Let the group normalizations of a part leave channels innermost."""
    for layer in part.modules():
        if type(layer) is torch.nn.GroupNorm and layer.affine:
            layer.__class__ = ChannelsLastGroupNorm


def forget_channels_last(part: torch.nn.Module) -> None:
    """Give a part torch's own group normalizations again."""
    for layer in part.modules():
        if type(layer) is ChannelsLastGroupNorm:
            layer.__class__ = torch.nn.GroupNorm  # pyright: ignore[reportAttributeAccessIssue] - which it was before


def has_flat_convolutions(part: torch.nn.Module) -> bool:
    """Tell whether a part has convolutions over pictures and none over films, whose layout is another one."""
    dimensions = {parameter.dim() for parameter in part.parameters()}
    return 4 in dimensions and 5 not in dimensions
