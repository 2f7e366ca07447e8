"""Meta tensors, from which transformers builds a model before it fills in the weights from files.

torch computes some functions on them in Python and imports sympy for that, which costs every start 0.2 seconds and 33
MiB. Those that loading a text encoder calls have the same answers without it; all others are computed as usual.
Source: ``torch/_refs/__init__.py`` of torch 2.13, ``PreTrainedModel.from_pretrained`` of transformers 5.23.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_EMPTY = torch.device("meta")


class QuickEmptyTensors(TorchFunctionMode):
    """A mode in which a text encoder can be built from meta tensors without sympy."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer one call of a torch function."""
        answer = _ANSWERS.get(func)
        found = None if answer is None else answer(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if found is None else found


def _normal(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor | None:
    return tensor if tensor.is_meta else None  # there is no memory to fill


def _arange(*args: Any, device: Any = None, **how: Any) -> torch.Tensor | None:
    return torch.arange(*args, device="cpu", **how).to(_EMPTY) if device == _EMPTY else None


def _empty_like(input: torch.Tensor, *, dtype: Any = None, device: Any = None, **how: Any) -> torch.Tensor | None:  # noqa: A002 - torch's name
    if how or not input.is_meta or not input.is_contiguous():
        return None
    return torch.empty(input.shape, dtype=dtype or input.dtype, device=device or _EMPTY)


_ANSWERS: dict[Callable[..., Any], Callable[..., torch.Tensor | None]] = {
    torch.nn.init.normal_: _normal,
    torch.arange: _arange,
    torch.empty_like: _empty_like,
}
