"""Weights packed in the layout that oneDNN computes in, so that they need not be reordered at every call.

torch's compiler uses such weights; here its operators are called without the compiler. For layers of realistic size the
results were those of the usual layers, bit for bit; small ones may be rounded differently. It makes no difference to
the result whether a weight is packed for one call or for good.
Source: ``torch/_inductor/fx_passes/mkldnn_fusion.py`` of torch 2.13.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from torch.nn import functional

from generation.engine.kernels.mapped_files import MappedFiles

_NO_ACTIVATION: tuple[str, list[float], str] = ("none", [], "")  # no fused activation
_GELU: tuple[str, list[float], str] = ("gelu", [], "none")  # "none" is the exact variant, with the error function
_ops: Any = torch.ops


class _Packing:
    """A layer that packs its weight: on its first use for that call only, on its second for good.

    A weight that stays packed needs fresh memory, and first touching that takes as long as the packing itself. Putting
    it off lets a process take the first step of its first picture sooner. Once packed for good, the layer has no
    parameter ``weight``; its contents are in ``packed``.
    """

    packed: Any = None
    was_used = False
    files: MappedFiles

    def packed_weight(self: Any) -> Any:
        """Return the weight in oneDNN's layout, or None for one that is not bfloat16."""
        if self.packed is None and self.weight.dtype == torch.bfloat16:
            if not self.was_used:
                self.was_used = True
                return self.pack(self.weight.detach())
            self.stay_packed()
        return self.packed

    def stay_packed(self: Any) -> None:
        """Keep the weight packed from now on, if it is bfloat16."""
        if self.packed is None and self.weight.dtype == torch.bfloat16:
            weight = self.weight.detach()
            packed = self.pack(weight)
            del self.weight
            self.packed = packed
            self.files.release_pages(weight)

    def unpack(self: Any) -> None:
        """Restore the parameter ``weight``, with the same bits; the next use packs it again."""
        if self.packed is not None:
            self.weight = torch.nn.Parameter(self.dense_weight(), requires_grad=False)
            self.packed = None

    def dense_weight(self) -> torch.Tensor:
        """Return the packed weight in its original form."""
        return self.packed.to_dense()


class PackingLinear(_Packing, torch.nn.Linear):
    """A linear layer that packs its weight."""

    @staticmethod
    def pack(weight: torch.Tensor) -> Any:
        """Return a weight (outputs, inputs) in oneDNN's layout."""
        return _ops.mkldnn._reorder_linear_weight(weight)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Map (..., inputs) to (..., outputs)."""
        if (weight := self.packed_weight()) is None:
            return functional.linear(input, self.weight, self.bias)
        return _ops.mkldnn._linear_pointwise(input, weight, self.bias, *_NO_ACTIVATION)


class PackingConvolution(_Packing, torch.nn.Conv2d):
    """A 2D convolution that packs its weight and computes in channels-last format."""

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs, height, width) in oneDNN's layout."""
        return _ops.mkldnn._reorder_convolution_weight(weight, self.padding, self.stride, self.dilation, self.groups)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Convolve (rows, channels, height, width) in any memory format; the result is channels-last."""
        values = input.contiguous(memory_format=torch.channels_last)
        places = (self.padding, self.stride, self.dilation, self.groups)
        if (weight := self.packed_weight()) is None:
            return self._conv_forward(values, self.weight, self.bias)
        return _ops.mkldnn._convolution_pointwise(values, weight, self.bias, *places, *_NO_ACTIVATION)


class PackingProduct(PackingConvolution):
    """A 3x3 convolution over pictures of few pixels, computed as one matrix product.

    oneDNN fills a block of sixteen with the pixels of one row of a picture; a row of four leaves most of it empty.
    """

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight (outputs, inputs, 3, 3), packed for a matrix product."""
        return _ops.mkldnn._reorder_linear_weight(weight.permute(0, 2, 3, 1).flatten(1).contiguous())

    def dense_weight(self) -> torch.Tensor:
        """Return the packed weight in its original form."""
        return self.packed.to_dense().unflatten(1, (3, 3, -1)).permute(0, 3, 1, 2).contiguous()

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Convolve (rows, channels, height, width) to the same number of pixels; the result is channels-last."""
        if (weight := self.packed_weight()) is None:
            return super().forward(input)
        rows, channels, height, width = input.shape
        padded = functional.pad(input.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        along_row, along_column, along_width, _ = padded.stride()
        neighbours = padded.as_strided(
            (rows, height, width, 3, 3, channels), (along_row, along_column, along_width, along_column, along_width, 1)
        )
        products = _ops.mkldnn._linear_pointwise(neighbours.flatten(3), weight, self.bias, *_NO_ACTIVATION)
        return products.permute(0, 3, 1, 2)


class PixelConvolution(torch.nn.Conv2d):
    """A 1x1 convolution that computes in channels-last format and leaves its weight as it is.

    Which layout oneDNN wants for the weight depends on the size of the picture, at least on CPUs without AMX. A weight
    in any other layout is reordered at every call: for a plain one that costs next to nothing, for a packed one up to
    40 times as much as the layer.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Convolve (rows, channels, height, width) in any memory format; the result is channels-last."""
        return super().forward(input.contiguous(memory_format=torch.channels_last))


class PackingHalves(PackingLinear):
    """A linear layer whose outputs are two halves that are used separately: it packs a weight for each half."""

    @staticmethod
    def pack(weight: torch.Tensor) -> Any:
        """Return the two halves of a weight (outputs, inputs), each in oneDNN's layout."""
        return tuple(PackingLinear.pack(half.contiguous()) for half in weight.chunk(2))

    def dense_weight(self) -> torch.Tensor:
        """Return the packed weight in its original form."""
        return torch.cat([half.to_dense() for half in self.packed])

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Map (..., inputs) to (..., outputs), for callers that want both halves together."""
        if (halves := self.halves()) is None:
            return super().forward(input)
        return torch.cat([_ops.mkldnn._linear_pointwise(input, *half, *_NO_ACTIVATION) for half in halves], -1)

    def halves(self) -> tuple[tuple[torch.Tensor, torch.Tensor | None], ...] | None:
        """Return weight and bias of each half in oneDNN's layout, or None if they are not bfloat16."""
        if (weights := self.packed_weight()) is None:
            return None
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        return tuple(zip(weights, biases, strict=True))


class PackingGEGLU(GEGLU):
    """A GEGLU layer that fuses the activation and the product into its two halves and never holds the joint output."""

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Map (..., inputs) to (..., outputs)."""
        # An adapter may have replaced the layer, and needs its complete output.
        halves = self.proj.halves() if isinstance(self.proj, PackingHalves) else None
        if halves is None:
            return super().forward(hidden_states, *args, **kwargs)
        (weight, bias), gate = halves
        opened = _ops.mkldnn._linear_pointwise(hidden_states, *gate, *_GELU)
        return _ops.mkldnn._linear_pointwise.binary(hidden_states, opened, weight, bias, "mul")


def let_layers_pack(part: torch.nn.Module) -> None:
    """Make the layers of a part on the CPU pack their weights; a packed weight replaces the original in memory."""
    files = MappedFiles()
    innermost = set(_innermost_layers(part))
    layer: Any
    for layer in part.modules():
        kind = type(layer)
        if kind is GEGLU:
            layer.__class__ = PackingGEGLU
            layer.proj.__class__, layer.proj.files = PackingHalves, files
        elif kind is torch.nn.Linear:
            layer.__class__, layer.files = PackingLinear, files  # references to the layer stay valid
        elif kind is torch.nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            if layer.kernel_size == (1, 1):
                layer.__class__ = PixelConvolution
            else:
                fits = layer in innermost and _keeps_pixels(layer)
                layer.__class__, layer.files = PackingProduct if fits else PackingConvolution, files


def packable_bytes(part: torch.nn.Module) -> int:
    """Return the bytes of a part's weights that can still be packed."""
    layers: list[Any] = [layer for layer in part.modules() if isinstance(layer, _Packing) and layer.packed is None]
    return sum(layer.weight.nbytes for layer in layers if layer.weight.dtype == torch.bfloat16)


def pack_layers(part: torch.nn.Module) -> Iterator[None]:
    """Pack for good what would be packed on its second use, one layer per iteration, so that no picture waits."""
    for layer in part.modules():
        if isinstance(layer, _Packing):
            layer.stay_packed()
            yield


def unpack_layers(parts: Iterable[torch.nn.Module]) -> None:
    """Restore all weights as parameters, for code that reads or changes them."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, _Packing):
                layer.unpack()


def _innermost_layers(part: Any) -> Iterable[torch.nn.Module]:
    """Return the layers of a four-level UNet that work at an eighth of the latents' side.

    Up to 768 pixels a matrix product is faster there, two to three times at 256; at 1024 it is a tenth slower.
    """
    down, up = getattr(part, "down_blocks", ()), getattr(part, "up_blocks", ())
    if len(down) != 4 or len(up) != 4 or getattr(part, "mid_block", None) is None:
        return ()
    inner = (down[-1], part.mid_block, up[0].resnets)
    return (layer for block in inner for layer in block.modules())


def _keeps_pixels(layer: torch.nn.Conv2d) -> bool:
    places = (layer.kernel_size, layer.padding, layer.stride, layer.dilation, layer.groups)
    return places == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
