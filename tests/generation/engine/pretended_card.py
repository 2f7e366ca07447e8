"""A simulated GPU: tensors that claim to be on ``cuda:0`` or ``mps:0``, with their values in this machine's memory.

Code that mixes a tensor of the card with one of the CPU gets CUDA's error, so what the engine does on a GPU can be
tested without one: not its speed, and not its kernels, but whether it works. Every operation passes through two torch
modes, one before torch itself looks at a device and one after. The card has a fixed amount of memory. Only tensors are
counted; the kernels of a real card need some memory on top.
Source: https://docs.pytorch.org/docs/stable/notes/extending.html (``__torch_function__``, ``__torch_dispatch__``).
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from diffusers.utils.torch_utils import TorchDeviceBackend
from torch._utils import _get_device_index
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from generation.engine.device_loop import DeviceLoop
from tests.generation.engine.recorded_graphs import Stream, record_graphs

_CPU = torch.device("cpu")
_aten = torch.ops.aten
# Operations that may mix devices: copies, and indexing with indices on the CPU.
_MIXES = {
    _aten.copy_.default,
    _aten._to_copy.default,
    _aten.index.Tensor,
    _aten.index_put_.default,
    torch.Tensor.__getitem__,
    torch.Tensor.__setitem__,
}
_GET_DATA, _SET_DATA = (getattr(torch.Tensor.data, name) for name in ("__get__", "__set__"))
# torch's errors where it looks for a real card before it looks at the kind of tensor.
_WANTS_A_CARD = (
    *("not linked with support for", "from the 'CUDA' backend", "from the 'MPS' backend", ".tolist() is not"),
    *("CUDA driver version is insufficient", "Found no NVIDIA driver"),  # a build for CUDA on a machine without a card
)


class Card:
    """A card and what is in its memory: a storage counts once, until its last tensor is gone."""

    def __init__(self, kind: str, total_bytes: int) -> None:
        self.device = torch.device(kind, 0)
        self.total_bytes = total_bytes
        self.held_bytes = self.peak_bytes = 0
        self.waits = 0  # how often the CPU would have waited for the card
        self._storages = set[int]()

    def hold(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, or raise torch's error if it does not fit."""
        if self.device.type == "mps" and tensor.dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
            )
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages:
            return
        if self.held_bytes + size > self.total_bytes:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")
        self._storages.add(key)
        self.held_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.held_bytes)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.held_bytes -= size


_card = Card("cuda", 0)


class OnCard(torch.Tensor):
    """A tensor on the card."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "OnCard":
        _card.hold(held)
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=_card.device,
        )
        tensor.held = held
        return tensor

    def __repr__(self, **_: Any) -> str:
        return f"OnCard({self.held})"

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _AfterTorch(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _BeforeTorch(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = (
            tuple(map(_with_number, args)),
            {name: _with_number(each) for name, each in (kwargs or {}).items()},
        )
        if func == _SET_DATA:
            return _take_place(*args)
        if func == _GET_DATA and isinstance(args[0], OnCard):
            return OnCard(args[0].held)
        if func is torch.Tensor.pin_memory:
            return args[0]
        try:
            if func is not scaled_dot_product_attention:  # torch decomposes it for lack of a kernel on the card
                return func(*args, **kwargs)
        except (NotImplementedError, RuntimeError) as error:
            if not any(words in str(error) for words in _WANTS_A_CARD):
                raise
        _refuse_two_devices(func, (*args, *kwargs.values()))
        result = func(*_held(args), **_on_cpu(kwargs))
        is_on_card = "device" in kwargs or any(map(_is_on_card, _tensors((*args, *kwargs.values()))))
        return _onto_card(result) if is_on_card else result


@contextmanager
def pretended_card(monkeypatch: pytest.MonkeyPatch, kind: str = "cuda", total_bytes: int = 8 * 2**30) -> Iterator[Card]:
    """Make torch find a card, ``cuda`` or ``mps``, and device loops started inside the block compute on it.

    ``total_bytes`` is its memory, without what the process takes anyway.
    """
    global _card
    _card = card = Card(kind, total_bytes)
    if kind == "mps":
        _pretend_mps(monkeypatch, card)
    else:
        _pretend_cuda(monkeypatch, card)
    monkeypatch.setattr(TorchDeviceBackend, "_detect_device_type", lambda *_: kind)
    serve = DeviceLoop._serve
    monkeypatch.setattr(DeviceLoop, "_serve", lambda loop: _serve_on_card(loop, serve))
    torch.__future__.set_swap_module_params_on_conversion(True)  # otherwise moving a layer would replace its parameters
    yield card
    torch.__future__.set_swap_module_params_on_conversion(False)


def _pretend_mps(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: card.held_bytes)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: card.total_bytes)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)


def _pretend_cuda(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    record_graphs(monkeypatch)
    told_bytes = card.total_bytes  # unaffected by what other programs take later
    answers = {
        "_lazy_init": None,
        "current_stream": Stream(),
        "empty_cache": None,
        "get_device_capability": (8, 0),
        "get_device_name": "no card",
        "is_available": True,
        "stream": nullcontext(),
        "synchronize": None,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", whole_of_numbered)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (told_bytes - card.held_bytes, told_bytes))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: card.held_bytes)
    # Shrinks the probe at startup, which would take some CPUs minutes in float16.
    monkeypatch.setattr("generation.engine.kernels.probe._SIDE_ON_A_CARD", 4)


def whole_of_numbered(device: torch.device) -> float:
    """Return the usable fraction of a card, all of it; raise torch's error for a device without an index."""
    _get_device_index(device)
    return 1.0


@contextmanager
def on_card() -> Iterator[None]:
    """Make this thread compute on the card."""
    with _BeforeTorch(), _AfterTorch():
        yield


def _serve_on_card(loop: DeviceLoop, serve: Callable[[DeviceLoop], None]) -> None:
    with on_card():
        serve(loop)


def _computed(func: Any, args: Any, kwargs: Any) -> Any:
    values = (*args, *kwargs.values())
    _refuse_two_devices(func, values)
    _card.waits += _makes_wait(func, args, kwargs)
    device = kwargs.get("device")
    is_on_card = (
        any(map(_is_on_card, _tensors(values))) if device is None else torch.device(device).type == _card.device.type
    )
    if func is _aten.div.Tensor and is_on_card and not _is_on_card(args[1]) and args[0].is_floating_point():
        result = _divided_by_number(args[0].held, float(args[1]))
    elif func is _aten.convolution.default and is_on_card:
        result = _convolved(*_held(args))
    else:
        result = func(*_held(args), **_on_cpu(kwargs))
    if func._schema.is_mutable and func._schema.name.endswith("_"):
        return args[0]
    return _onto_card(result) if is_on_card else result


def _divided_by_number(values: torch.Tensor, number: float) -> torch.Tensor:
    """Divide as CUDA does, by multiplying with the inverse.

    Source: ``div_true_kernel_cuda`` in ``aten/src/ATen/native/cuda/BinaryDivTrueKernel.cu`` of torch 2.13.
    """
    inverse = 1 / torch.tensor(number, dtype=torch.promote_types(values.dtype, torch.float32))
    return (values.to(inverse.dtype) * inverse).to(values.dtype)


def _convolved(pixels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *told: Any) -> torch.Tensor:
    """Accumulate in float32, as GPUs do; a CPU without float16 instructions is a hundred times slower in float16."""
    wide = bias if bias is None else bias.float()
    return torch.convolution(pixels.float(), weight.float(), wide, *told).to(pixels.dtype)


def _refuse_two_devices(func: Any, values: Iterable[Any]) -> None:
    """Raise CUDA's error for mixed devices; zero-dimensional tensors may come from the CPU."""
    if func in _MIXES:
        return
    tensors = list(_tensors(values))
    if any(map(_is_on_card, tensors)) and any(tensor.dim() and not _is_on_card(tensor) for tensor in tensors):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found at least two devices ({func})")


def _makes_wait(func: Any, args: Any, kwargs: Any) -> bool:
    """Tell whether the CPU would wait: it reads a value, or makes a blocking copy."""
    if func is _aten._local_scalar_dense.default:
        return _is_on_card(args[0])
    if func is _aten._to_copy.default:
        device = torch.device(kwargs.get("device") or args[0].device)
        return device.type != args[0].device.type and not kwargs.get("non_blocking")
    if func is _aten.copy_.default:
        is_told_not_to = kwargs.get("non_blocking") or args[2:3] == (True,)
        return args[0].device.type != args[1].device.type and not is_told_not_to
    return False


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _is_on_card(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, OnCard)


def _held(value: Any) -> Any:
    """Return the same with CPU tensors."""
    if isinstance(value, OnCard):
        return value.held
    if isinstance(value, slice):
        return slice(_held(value.start), _held(value.stop), _held(value.step))
    return type(value)(map(_held, value)) if type(value) in (list, tuple) else value


def _on_cpu(kwargs: dict[str, Any]) -> dict[str, Any]:
    instead = {"device": _CPU, "pin_memory": False}
    return {name: instead[name] if name in instead and value else _held(value) for name, value in kwargs.items()}


def _onto_card(value: Any) -> Any:
    """Return the same with tensors on the card."""
    if type(value) is torch.Tensor:
        return OnCard(value)
    return type(value)(map(_onto_card, value)) if type(value) in (list, tuple) else value


def _with_number(value: Any) -> Any:
    """Return a device with its index, for which torch would ask the card."""
    kind = value if isinstance(value, str) else value.type if isinstance(value, torch.device) else None
    return _card.device if kind == _card.device.type else value


def _take_place(tensor: torch.Tensor, other: torch.Tensor) -> None:
    """Turn a tensor into another one, whichever device that is on."""
    fresh = OnCard(other.held) if isinstance(other, OnCard) else other.view_as(other)
    if isinstance(tensor, torch.nn.Parameter):
        fresh = torch.nn.Parameter(fresh, requires_grad=False)
    torch.utils.swap_tensors(tensor, fresh)
