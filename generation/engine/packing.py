"""Weights in the order in which oneDNN computes, so that they need not be brought into it at every call.

torch's compiler computes with such weights; its operators are called here without it. The results of layers of real
size were those of the usual ones, bit by bit; small ones may be rounded otherwise.
Source: ``torch/_inductor/fx_passes/mkldnn_fusion.py`` of torch 2.13.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

from generation.engine.mapped_files import MappedFiles

_NOTHING_MORE: tuple[str, list[float], str] = ("none", [], "")  # no activation is computed along
_ops: Any = torch.ops


class _Packing:
    """A layer that packs its weight when it is first used.

    Packed, it has no parameter ``weight``: what would have been there is within ``packed``.
    """

    packed: torch.Tensor | None = None
    files: MappedFiles

    def ensure_packed(self: Any) -> bool:
        """Pack the weight if it is not; tell whether it is, which only one in bfloat16 ever is."""
        if self.packed is None and self.weight.dtype == torch.bfloat16:
            weight = self.weight.detach()
            packed = self.pack(weight)
            del self.weight
            self.packed = packed
            self.files.let_go(weight)
        return self.packed is not None

    def unpack(self: Any) -> None:
        """Have a parameter ``weight`` again, with the same bits, until the next use."""
        if self.packed is not None:
            self.weight = torch.nn.Parameter(self.packed.to_dense(), requires_grad=False)
            self.packed = None


class PackingLinear(_Packing, torch.nn.Linear):
    """A linear layer that packs its weight."""

    @staticmethod
    def pack(weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs) in oneDNN's order."""
        return _ops.mkldnn._reorder_linear_weight(weight)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (..., inputs) to (..., outputs)."""
        if self.ensure_packed():
            return _ops.mkldnn._linear_pointwise(input, self.packed, self.bias, *_NOTHING_MORE)
        return functional.linear(input, self.weight, self.bias)


class PackingConvolution(_Packing, torch.nn.Conv2d):
    """A convolution over pictures that packs its weight and computes with the channels innermost."""

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs, height, width) in oneDNN's order."""
        return _ops.mkldnn._reorder_convolution_weight(weight, self.padding, self.stride, self.dilation, self.groups)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (rows, channels, height, width), in whatever layout it comes, to channels innermost."""
        values = input.contiguous(memory_format=torch.channels_last)
        places = (self.padding, self.stride, self.dilation, self.groups)
        if self.ensure_packed():
            return _ops.mkldnn._convolution_pointwise(values, self.packed, self.bias, *places, *_NOTHING_MORE)
        return self._conv_forward(values, self.weight, self.bias)


def let_layers_pack(part: torch.nn.Module) -> None:
    """Let the layers of a part on the CPU pack their weights; a packed one takes the place of the other in memory."""
    files = MappedFiles()
    layer: Any
    for layer in part.modules():
        kind = type(layer)
        if kind is torch.nn.Linear:
            layer.__class__, layer.files = PackingLinear, files  # everybody keeps the layer that he refers to
        elif kind is torch.nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            layer.__class__, layer.files = PackingConvolution, files


def pack_layers(part: torch.nn.Module) -> None:
    """Pack now what would be packed when it is first used, so that no picture waits for it."""
    for layer in part.modules():
        if isinstance(layer, _Packing):
            layer.ensure_packed()


def unpack_layers(parts: Iterable[torch.nn.Module]) -> None:
    """Have all weights as parameters again, for whoever reads or changes them."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, _Packing):
                layer.unpack()
