"""What this machine really computes faster, measured in a fraction of a second instead of inferred from CPU flags."""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from generation.engine.kernels.channels_last import ChannelsLastGroupNorm
from generation.engine.kernels.cpu_attention import blocked_attention, padded_attention
from generation.engine.kernels.packing import let_layers_pack
from generation.engine.kernels.probe_answers import remembered

log = logging.getLogger(__name__)

ROUNDS = 5
# A change that affects rounding must be a clear win, one that a busy neighbour cannot turn into a loss.
CLEAR_WIN = 1.15
# One that hardly does needs less, so that a disturbed measurement (1.1 to 2.1 were seen) rarely decides otherwise.
SMALL_WIN = 1.05
# A middle layer of a Stable Diffusion UNet at 256 pixels, with half its channels: it takes milliseconds, even where
# bfloat16 is emulated.
_CHANNELS, _SIDE = 320, 16
_SIDE_ON_A_CARD = 64  # that of the outermost layers at 512 pixels
_TIMES_CAPTURED = 10
_GROUPS = 32
_TOLERANCE = 2e-2  # relative L2 between two implementations in 16 bits
_TOKENS, _WIDTH = 256, 640
# The attention of the outermost blocks at 512 pixels has 4096 tokens and heads of width 40; a quarter shows the same.
_ATTENTION_TOKENS, _HEADS, _HEAD_WIDTH = 2048, 2, 40
_PROMPT_TOKENS = 77


def best_seconds(
    works: Sequence[Callable[[], object]],
    *,
    rounds: int = ROUNDS,
    wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return the shortest time of each work in seconds of ``clock``, all run in turn, after one warm-up round.

    The shortest and not the median, because whatever else the machine does can only make a round longer. ``wait``
    returns when the device has finished its queued work.
    """
    best = [float("inf")] * len(works)
    for number in range(rounds + 1):
        for index, work in enumerate(works):
            began = clock()
            work()
            wait()
            if number > 0:
                best[index] = min(best[index], clock() - began)
    return best


def wins(usual: float, candidate: float, times: float = CLEAR_WIN) -> bool:
    """Tell whether the candidate is at least this many times as fast as the usual way; both are given in seconds."""
    return usual >= candidate * times


@remembered
def bfloat16_pays(device: torch.device) -> bool:
    """Tell whether convolutions and matrix products are clearly faster in bfloat16 than in float32."""
    usual, candidate = _compare(
        device,
        _convolution(device, torch.float32, torch.contiguous_format),
        _convolution(device, torch.bfloat16, torch.channels_last),
    )
    more_usual, more_candidate = _compare(device, _product(device, torch.float32), _product(device, torch.bfloat16))
    return wins(usual + more_usual, candidate + more_candidate)


@remembered
def channels_last_pays(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether convolutions are clearly faster in channels-last format."""
    layouts = (torch.contiguous_format, torch.channels_last)
    return wins(*_compare(device, *(_convolution(device, dtype, layout) for layout in layouts)))


@cache
def channels_last_norm_pays(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether a GPU is clearly faster with a group normalization that preserves the channels-last format.

    False where Triton is missing, finds no C compiler, or gives a different result than torch.
    """
    usual = _convolution(device, dtype, torch.contiguous_format)
    candidate = _convolution(device, dtype, torch.channels_last, norm=ChannelsLastGroupNorm)
    try:
        with torch.inference_mode():
            expected, seen = usual().double(), candidate().double()
            if not (seen - expected).norm() <= _TOLERANCE * expected.norm():  # not ">", so that NaN fails too
                return False
            captured = [_captured(work) for work in (usual, candidate)]
        return wins(*_compare(device, *captured))
    except Exception as error:  # whatever a compiler or a driver fails on, torch's own kernels work
        log.info("Triton cannot be used here, perhaps for want of a C compiler: %s", type(error).__name__)
        return False


def _captured(work: Callable[[], object]) -> Callable[[], object]:
    """Return the same work, run several times by one launch; otherwise the time would be that of launching kernels."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(_TIMES_CAPTURED):
            work()
    return graph.replay


@remembered
def packing_pays() -> bool:
    """Tell whether this CPU computes faster in bfloat16 with packed weights than without."""
    device, dtype = torch.device("cpu"), torch.bfloat16
    try:
        usual, packed, product, packed_product = _compare(
            device,
            _convolution(device, dtype, torch.channels_last),
            _convolution(device, dtype, torch.channels_last, packs=True),
            _product(device, dtype),
            _product(device, dtype, packs=True),
        )
    except (AttributeError, RuntimeError):  # torch without oneDNN, or a CPU that it does not support
        return False
    return wins(usual + product, packed + packed_product, SMALL_WIN)


@remembered
def blocked_attention_pays(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether ``blocked_attention`` is clearly faster than torch's own for many tokens."""
    return _attention_pays(blocked_attention, device, dtype, keys=_ATTENTION_TOKENS)


@remembered
def padded_attention_pays(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether ``padded_attention`` is clearly faster than torch's own for a prompt's tokens."""
    return _attention_pays(padded_attention, device, dtype, keys=_PROMPT_TOKENS)


def _attention_pays(
    attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    device: torch.device,
    dtype: torch.dtype,
    keys: int,
) -> bool:
    query, key, value = (
        torch.randn(1, _HEADS, tokens, _HEAD_WIDTH, device=device, dtype=dtype)
        for tokens in (_ATTENTION_TOKENS, keys, keys)
    )
    usual, candidate = _compare(
        device,
        lambda: functional.scaled_dot_product_attention(query, key, value),
        lambda: attend(query, key, value),
    )
    return wins(usual, candidate)


def _compare(device: torch.device, *works: Callable[[], object]) -> list[float]:
    with torch.inference_mode():
        return best_seconds(works, wait=_wait_for(device), clock=clock_for(device))


def clock_for(device: torch.device) -> Callable[[], float]:
    """Return the clock to time a device's work with; on a CPU, the CPU time of this process.

    Where other processes compete for the cores, wall-clock time made the faster memory format look slower at every
    fourth start; CPU time repeats to within a tenth. Windows counts CPU time in 15 ms ticks, too coarse for this.
    """
    return time.process_time if device.type == "cpu" and sys.platform != "win32" else time.perf_counter


def _convolution(
    device: torch.device,
    dtype: torch.dtype,
    layout: torch.memory_format,
    *,
    packs: bool = False,
    norm: type[torch.nn.GroupNorm] = torch.nn.GroupNorm,
) -> Callable[[], torch.Tensor]:
    """Return one run of a convolution, always on the same numbers; on a GPU with the normalization before it.

    torch's normalization supports only one memory format there, and converting to it may cost more than is gained.
    """
    is_card = _is_gpu(device)
    random = torch.Generator().manual_seed(0)
    side = _SIDE_ON_A_CARD if is_card else _SIDE
    layer: Any = torch.nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)
    torch.nn.init.normal_(layer.weight, std=(9 * _CHANNELS) ** -0.5, generator=random)
    layer = layer.to(device, dtype).to(memory_format=layout)
    if packs:
        let_layers_pack(layer)
    picture = torch.randn(2, _CHANNELS, side, side, generator=random).to(device, dtype, memory_format=layout)
    if not is_card:
        return lambda: layer(picture)
    before = norm(_GROUPS, _CHANNELS, device=device, dtype=dtype)
    return lambda: layer(before(picture))


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def _product(device: torch.device, dtype: torch.dtype, *, packs: bool = False) -> Callable[[], object]:
    layer = torch.nn.Linear(_WIDTH, _WIDTH, device=device, dtype=dtype)
    if packs:
        let_layers_pack(layer)
    tokens = torch.randn(2, _TOKENS, _WIDTH, device=device, dtype=dtype)
    return lambda: layer(tokens)


def _wait_for(device: torch.device) -> Callable[[], None]:
    match device.type:
        case "cuda":
            return lambda: torch.cuda.synchronize(device)
        case "mps":
            return torch.mps.synchronize
        case _:
            return lambda: None
