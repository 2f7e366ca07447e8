"""A call of a network as one launch: CUDA graphs, which replay a call's kernels at the addresses that it used.

A UNet is some 2,000 kernels, and to launch each costs the processor microseconds: on a quick card more than the card
takes for them. So it is with the encoder of a text, to which Python adds as much again. Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

from generation.engine.device import free_bytes, free_memory
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

COMPILING_THREAD = "compile"  # the name of a thread that compiles

# Both are tensors and other values in whatever torch takes apart: tuples, dictionaries, the answers of transformers.
Inputs = tuple[Any, ...]
Network = Callable[..., Any]

_KEPT = 64  # shapes: of each the card keeps a list of its kernels, some megabytes
_MOST_FAILURES = 3
_TOLERANCE = 1e-2  # relative L2 of a replay against the call itself; rounding in 16 bits is less


class CudaGraphs:
    """Answer calls of one model's networks by replays, one for each shape, captured after the first call of it.

    A replay reads the weights where they lay when it was captured: whoever puts them elsewhere calls ``forget``. All
    graphs share the memory that a call needs, so no answer refers to it. Where one cannot be captured, or says
    something else than the call, or the card has no room, calls are made as they are. Used by one thread only.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()  # those used last come last
        self._pool: Any = None
        self._stream: Any = None  # the same for all, or they could not share memory
        self._failed = set[Hashable]()
        self._gave_up = False
        self._said_no_room = False

    def call(self, shape: Hashable, network: Network, *inputs: Any) -> Any:
        """Return what ``network`` says; ``shape`` stands for it, for the shapes of what it is told, and for all that is
        no tensor.

        What was captured is replayed at any time; to capture the card has to be this thread's alone.
        """
        graph = self._graphs.get(shape)
        if graph is not None:
            self._graphs.move_to_end(shape)
            return graph(inputs)
        answer = self._called(network, inputs)
        if not self._gave_up and shape not in self._failed and not _is_compiling() and self._has_room():
            self._capture(shape, network, inputs, answer)
        return answer

    def forget(self, *, for_good: bool = False) -> None:
        """Drop what was captured, and capture nothing any more if that is ``for_good``, for want of memory."""
        self._graphs.clear()
        self._pool = None
        if for_good and not self._gave_up:
            self._gave_up = True
            log.warning(
                "the memory does not suffice for captured calls; "
                "until the model is loaded anew each is made as it is, which is slower"
            )

    def _called(self, network: Network, inputs: Inputs) -> Any:
        try:
            return network(*inputs)
        except torch.OutOfMemoryError:
            if not self._graphs:
                raise
        # Outside of the except block: the error's traceback refers to the tensors of the call.
        self.forget(for_good=True)
        free_memory(self._device)
        return network(*inputs)

    def _has_room(self) -> bool:
        """Tell whether the card could hold what a call needs once more, by the most that anything has needed so far."""
        needed = torch.cuda.max_memory_allocated(self._device) - torch.cuda.memory_allocated(self._device)
        has_room = free_bytes(self._device) > needed
        if not has_room and not self._said_no_room:
            self._said_no_room = True
            log.info("calls are captured once %.1f GiB of the card's memory are free", needed / 2**30)
        return has_room

    def _capture(self, shape: Hashable, network: Network, inputs: Inputs, answer: Any) -> None:
        if not all(torch.isfinite(tensor).all() for tensor in _tensors(answer)):
            return  # with the call of a broken picture nothing can be compared
        try:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            self._stream = self._stream or torch.cuda.Stream()
            graph = _Graph(network, inputs, self._pool, self._stream)
            error = _relative_error(graph(inputs), answer)
        except torch.OutOfMemoryError:
            self.forget(for_good=True)
            return
        except Exception as failure:  # whatever a driver or a layer stumbles over, pictures can be painted without it
            log.warning("a call cannot be captured\n%s", stack_of(failure))
            self._pool = None  # torch goes on recording into it, and lets nobody else; those captured before keep it
            self._give_up(shape)
            return
        if not error <= _TOLERANCE:  # NaN is not
            log.warning("what was captured says something else than the call; it is not used")
            self._give_up(shape)
            return
        self._graphs[shape] = graph
        if len(self._graphs) > _KEPT:
            self._graphs.popitem(last=False)

    def _give_up(self, shape: Hashable) -> None:
        """Leave a shape as it is; where several cannot be captured, none of what was captured is trusted."""
        self._failed.add(shape)
        if len(self._failed) >= _MOST_FAILURES:
            log.warning("calls are not captured any more")
            self._gave_up = True
            self.forget()


def graphs_for(device: torch.device) -> CudaGraphs | None:
    """Return what captures calls on this device, if it can."""
    return CudaGraphs(device) if device.type == "cuda" else None


def _is_compiling() -> bool:
    """Tell whether a thread compiles, for whichever model: it waits for the card, which ends any capture there."""
    return any(thread.name == COMPILING_THREAD for thread in threading.enumerate())


class _Graph:
    """One captured call, with places of its own for what goes in and comes out."""

    def __init__(self, network: Network, inputs: Inputs, pool: Any, stream: Any) -> None:
        self._inputs = _copied(inputs)
        self._graph = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        # Around both, because torch leaves the stream of a capture only if that ends well.
        with torch.cuda.stream(stream):
            # A compiler may look anew at other tensors and another stream, and cuBLAS wants memory for each stream;
            # neither can be had while capturing.
            network(*self._inputs)
            with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self._answer = network(*self._inputs)

    def __call__(self, inputs: Inputs) -> Any:
        for place, tensor in zip(_tensors(self._inputs), _tensors(inputs), strict=True):
            place.copy_(tensor)
        self._graph.replay()
        return _copied(self._answer)


def _relative_error(seen: Any, true: Any) -> float:
    """Return the largest relative L2 of one tensor; NaN if any is."""
    pairs = zip(_tensors(seen), _tensors(true), strict=True)
    errors = [(ours.float() - theirs.float()).norm() / theirs.float().norm() for ours, theirs in pairs]
    return float(torch.stack(errors).max())


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _copied(tree: Any) -> Any:
    return tree_map_only(torch.Tensor, torch.clone, tree)
