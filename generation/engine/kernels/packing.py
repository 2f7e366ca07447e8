"""Weights in the order in which oneDNN computes, so that they need not be brought into it at every call.

torch's compiler computes with such weights; its operators are called here without it. The results of layers of real
size were those of the usual ones, bit by bit; small ones may be rounded otherwise. A weight that is packed for one call
and one that stays so say the same.
Source: ``torch/_inductor/fx_passes/mkldnn_fusion.py`` of torch 2.13.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from torch.nn import functional

from generation.engine.kernels.mapped_files import MappedFiles

_NOTHING_MORE: tuple[str, list[float], str] = ("none", [], "")  # no activation is computed along
_GELU: tuple[str, list[float], str] = ("gelu", [], "none")  # "none" is the exact one, by the error function
_ops: Any = torch.ops


class _Packing:
    """A layer that packs its weight: at its first use for that call alone, at its second for good.

    A weight that stays packed needs memory that nobody has used yet, which takes as long as packing itself; whoever
    waits for the first picture of a process sees a step sooner without it. Packed for good, the layer has no parameter
    ``weight``: what would have been there is within ``packed``.
    """

    packed: Any = None
    was_used = False
    files: MappedFiles

    def ordered_weight(self: Any) -> Any:
        """Return the weight as oneDNN wants it, or None for one that is not in bfloat16."""
        if self.packed is None and self.weight.dtype == torch.bfloat16:
            if not self.was_used:
                self.was_used = True
                return self.pack(self.weight.detach())
            self.stay_packed()
        return self.packed

    def stay_packed(self: Any) -> None:
        """Have the weight packed from now on, if it is in bfloat16."""
        if self.packed is None and self.weight.dtype == torch.bfloat16:
            weight = self.weight.detach()
            packed = self.pack(weight)
            del self.weight
            self.packed = packed
            self.files.let_go(weight)

    def unpack(self: Any) -> None:
        """Have a parameter ``weight`` again, with the same bits, for a while."""
        if self.packed is not None:
            self.weight = torch.nn.Parameter(self.dense_weight(), requires_grad=False)
            self.packed = None

    def dense_weight(self) -> torch.Tensor:
        """Return the weight that was packed, as it was."""
        return self.packed.to_dense()


class PackingLinear(_Packing, torch.nn.Linear):
    """A linear layer that packs its weight."""

    @staticmethod
    def pack(weight: torch.Tensor) -> Any:
        """Return a weight (outputs, inputs) in oneDNN's order."""
        return _ops.mkldnn._reorder_linear_weight(weight)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (..., inputs) to (..., outputs)."""
        if (weight := self.ordered_weight()) is None:
            return functional.linear(input, self.weight, self.bias)
        return _ops.mkldnn._linear_pointwise(input, weight, self.bias, *_NOTHING_MORE)


class PackingConvolution(_Packing, torch.nn.Conv2d):
    """A convolution over pictures that packs its weight and computes with the channels innermost."""

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs, height, width) in oneDNN's order."""
        return _ops.mkldnn._reorder_convolution_weight(weight, self.padding, self.stride, self.dilation, self.groups)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (rows, channels, height, width), in whatever layout it comes, to channels innermost."""
        values = input.contiguous(memory_format=torch.channels_last)
        places = (self.padding, self.stride, self.dilation, self.groups)
        if (weight := self.ordered_weight()) is None:
            return self._conv_forward(values, self.weight, self.bias)
        return _ops.mkldnn._convolution_pointwise(values, weight, self.bias, *places, *_NOTHING_MORE)


class PackingProduct(PackingConvolution):
    """A 3x3 convolution over pictures of few pixels, computed as one product of matrices.

    oneDNN fills a block of sixteen with the pixels of one row of a picture; a row of four leaves most of it empty.
    """

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs, 3, 3) in the order of a product's."""
        return _ops.mkldnn._reorder_linear_weight(weight.permute(0, 2, 3, 1).flatten(1).contiguous())

    def dense_weight(self) -> torch.Tensor:
        """Return the weight that was packed, as it was."""
        return self.packed.to_dense().unflatten(1, (3, 3, -1)).permute(0, 3, 1, 2).contiguous()

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (rows, channels, height, width) to as many pixels, channels innermost."""
        if (weight := self.ordered_weight()) is None:
            return super().forward(input)
        rows, channels, height, width = input.shape
        padded = functional.pad(input.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        along_row, along_column, along_width, _ = padded.stride()
        neighbours = padded.as_strided(
            (rows, height, width, 3, 3, channels), (along_row, along_column, along_width, along_column, along_width, 1)
        )
        products = _ops.mkldnn._linear_pointwise(neighbours.flatten(3), weight, self.bias, *_NOTHING_MORE)
        return products.permute(0, 3, 1, 2)


class PixelConvolution(torch.nn.Conv2d):
    """A convolution over single pixels, which computes with the channels innermost and leaves its weight as it is.

    In which order oneDNN wants that depends on the size of the picture, on processors without AMX at least. Into
    another it is brought at every call: for a usual weight that is next to nothing, for a packed one up to 40 times
    what the layer takes.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (rows, channels, height, width), in whatever layout it comes, to channels innermost."""
        return super().forward(input.contiguous(memory_format=torch.channels_last))


class PackingHalves(PackingLinear):
    """A linear layer whose outputs are two halves that are wanted apart: packed, it has a weight for each."""

    @staticmethod
    def pack(weight: torch.Tensor) -> Any:
        """Return the two halves of a weight (outputs, inputs), each in oneDNN's order."""
        return tuple(PackingLinear.pack(half.contiguous()) for half in weight.chunk(2))

    def dense_weight(self) -> torch.Tensor:
        """Return the weight that was packed, as it was."""
        return torch.cat([half.to_dense() for half in self.packed])

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Compute (..., inputs) to (..., outputs), for whoever wants them together."""
        if (halves := self.halves()) is None:
            return super().forward(input)
        return torch.cat([_ops.mkldnn._linear_pointwise(input, *half, *_NOTHING_MORE) for half in halves], -1)

    def halves(self) -> tuple[tuple[torch.Tensor, torch.Tensor | None], ...] | None:
        """Return weight and bias of each half as oneDNN wants them, or None if they are not in bfloat16."""
        if (weights := self.ordered_weight()) is None:
            return None
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        return tuple(zip(weights, biases, strict=True))


class PackingGEGLU(GEGLU):
    """A gated layer that computes gate and product along with its two halves, and never the whole of both."""

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute (..., inputs) to (..., outputs)."""
        # An adapter stands in the layer's place, and wants its outputs whole.
        halves = self.proj.halves() if isinstance(self.proj, PackingHalves) else None
        if halves is None:
            return super().forward(hidden_states, *args, **kwargs)
        (weight, bias), gate = halves
        opened = _ops.mkldnn._linear_pointwise(hidden_states, *gate, *_GELU)
        return _ops.mkldnn._linear_pointwise.binary(hidden_states, opened, weight, bias, "mul")


def let_layers_pack(part: torch.nn.Module) -> None:
    """Let the layers of a part on the CPU pack their weights; a packed one takes the place of the other in memory."""
    files = MappedFiles()
    innermost = set(_innermost_layers(part))
    layer: Any
    for layer in part.modules():
        kind = type(layer)
        if kind is GEGLU:
            layer.__class__ = PackingGEGLU
            layer.proj.__class__, layer.proj.files = PackingHalves, files
        elif kind is torch.nn.Linear:
            layer.__class__, layer.files = PackingLinear, files  # everybody keeps the layer that he refers to
        elif kind is torch.nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            if layer.kernel_size == (1, 1):
                layer.__class__ = PixelConvolution
            else:
                fits = layer in innermost and _keeps_pixels(layer)
                layer.__class__, layer.files = PackingProduct if fits else PackingConvolution, files


def packable_bytes(part: torch.nn.Module) -> int:
    """Return how much of a part's weights packing is for."""
    layers: list[Any] = [layer for layer in part.modules() if isinstance(layer, _Packing) and layer.packed is None]
    return sum(layer.weight.nbytes for layer in layers if layer.weight.dtype == torch.bfloat16)


def pack_layers(part: torch.nn.Module) -> Iterator[None]:
    """Pack for good what would be at its second use, one layer at each turn, so that no picture waits for it."""
    for layer in part.modules():
        if isinstance(layer, _Packing):
            layer.stay_packed()
            yield


def unpack_layers(parts: Iterable[torch.nn.Module]) -> None:
    """Have all weights as parameters again, for whoever reads or changes them."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, _Packing):
                layer.unpack()


def _innermost_layers(part: Any) -> Iterable[torch.nn.Module]:
    """Return the layers of a UNet of four levels that see an eighth of the latents' side.

    Up to 768 pixels a product is quicker there, two or three times with 256, and a tenth slower with 1024.
    """
    down, up = getattr(part, "down_blocks", ()), getattr(part, "up_blocks", ())
    if len(down) != 4 or len(up) != 4 or getattr(part, "mid_block", None) is None:
        return ()
    inner = (down[-1], part.mid_block, up[0].resnets)
    return (layer for block in inner for layer in block.modules())


def _keeps_pixels(layer: torch.nn.Conv2d) -> bool:
    places = (layer.kernel_size, layer.padding, layer.stride, layer.dilation, layer.groups)
    return places == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
