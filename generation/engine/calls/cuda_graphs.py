"""CUDA graphs: a call of a network as a single launch, which replays its kernels at the addresses that it used.

A UNet consists of some 2,000 kernels, and launching each costs the CPU microseconds: on a fast GPU, longer than it
takes to run them. Text encoders have the same problem, and Python adds as much overhead again.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
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

# Inputs and outputs are tensors and other values in any pytree: tuples, dictionaries, the outputs of transformers.
Inputs = tuple[Any, ...]
Network = Callable[..., Any]

_MAX_GRAPHS = 64  # shapes; the GPU keeps a list of kernels for each, a few megabytes
_MOST_FAILURES = 3
_TOLERANCE = 1e-2  # relative L2 of a replay against the call itself; rounding in 16 bits stays below it


class CudaGraphs:
    """Answer calls of one model's networks by replaying graphs, one per shape, each captured after the first such call.

    A replay reads the weights at the addresses that they had at capture, so whoever moves them must call ``forget``.
    All graphs share one memory pool, so answers are copied out of it. Calls are made eagerly if they cannot be
    captured, if their replay gives a different result, or if the GPU has no room. Used by one thread only.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()  # least recently used first
        self._pool: Any = None
        self._stream: Any = None  # one for all graphs, otherwise they could not share memory
        self._failed = set[Hashable]()
        self._gave_up = False
        self._said_no_room = False

    def call(self, shape: Hashable, network: Network, *inputs: Any) -> Any:
        """Return the network's output; ``shape`` identifies the network, its inputs' shapes and all non-tensor inputs.

        An existing graph can be replayed at any time; capturing needs a GPU that no other thread is using.
        """
        graph = self._graphs.get(shape)
        if graph is not None:
            self._graphs.move_to_end(shape)
            return graph(inputs)
        answer = self._called(network, inputs)
        if not self._gave_up and shape not in self._failed and not _is_compiling() and self._has_room():
            self._capture(shape, network, inputs, answer)
        return answer

    def forget(self) -> None:
        """Drop all graphs."""
        self._graphs.clear()
        self._pool = None

    def stop_capturing(self) -> None:
        """Drop all graphs and capture no more, for lack of memory."""
        self.forget()
        if not self._gave_up:
            self._gave_up = True
            log.warning(
                "there is not enough memory for captured calls; "
                "until the model is loaded again calls are not captured, which is slower"
            )

    def _called(self, network: Network, inputs: Inputs) -> Any:
        try:
            return network(*inputs)
        except torch.OutOfMemoryError:
            if not self._graphs:
                raise
        # Outside the except block: the error's traceback keeps the tensors of the call alive.
        self.stop_capturing()
        free_memory(self._device)
        return network(*inputs)

    def _has_room(self) -> bool:
        """Tell whether the GPU could hold the working memory of a call a second time, judged by the peak so far."""
        needed = torch.cuda.max_memory_allocated(self._device) - torch.cuda.memory_allocated(self._device)
        has_room = free_bytes(self._device) > needed
        if not has_room and not self._said_no_room:
            self._said_no_room = True
            log.info("calls are captured once %.1f GiB of the card's memory are free", needed / 2**30)
        return has_room

    def _capture(self, shape: Hashable, network: Network, inputs: Inputs, answer: Any) -> None:
        if not all(torch.isfinite(tensor).all() for tensor in _tensors(answer)):
            return  # the call of a broken picture is nothing to compare with
        try:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            self._stream = self._stream or torch.cuda.Stream()
            graph = _Graph(network, inputs, self._pool, self._stream)
            error = _relative_error(graph(inputs), answer)
        except torch.OutOfMemoryError:
            self.stop_capturing()
            return
        except Exception as failure:  # whatever a driver or a layer fails on, pictures do not depend on it
            log.warning("a call cannot be captured\n%s", stack_of(failure))
            self._pool = None  # torch keeps recording into it and blocks other captures; earlier graphs hold on to it
            self._give_up(shape)
            return
        if not error <= _TOLERANCE:  # not ">", so that NaN fails too
            log.warning("a captured call gives another result than the call itself; it is not used")
            self._give_up(shape)
            return
        self._graphs[shape] = graph
        if len(self._graphs) > _MAX_GRAPHS:
            self._graphs.popitem(last=False)

    def _give_up(self, shape: Hashable) -> None:
        """Leave a shape uncaptured; after several such failures, trust no graph at all."""
        self._failed.add(shape)
        if len(self._failed) >= _MOST_FAILURES:
            log.warning("calls are no longer captured")
            self._gave_up = True
            self.forget()


def graphs_for(device: torch.device) -> CudaGraphs | None:
    """Return an object that captures calls on this device, or None where that is impossible."""
    return CudaGraphs(device) if device.type == "cuda" else None


def _is_compiling() -> bool:
    """Tell whether a thread is compiling for any model: it synchronizes with the GPU, which aborts every capture."""
    return any(thread.name == COMPILING_THREAD for thread in threading.enumerate())


class _Graph:
    """One captured call with input and output buffers of its own."""

    def __init__(self, network: Network, inputs: Inputs, pool: Any, stream: Any) -> None:
        self._inputs = _copied(inputs)
        self._graph = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        # Around both, because torch leaves the capture's stream only if the capture succeeds.
        with torch.cuda.stream(stream):
            # A warm-up: new tensors and a new stream may trigger a recompilation, and cuBLAS allocates a workspace for
            # each stream; neither is possible during capture.
            network(*self._inputs)
            with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self._answer = network(*self._inputs)

    def __call__(self, inputs: Inputs) -> Any:
        for place, tensor in zip(_tensors(self._inputs), _tensors(inputs), strict=True):
            place.copy_(tensor)
        self._graph.replay()
        return _copied(self._answer)


def _relative_error(seen: Any, true: Any) -> float:
    """Return the largest relative L2 error of any tensor; NaN if one of them is NaN."""
    pairs = zip(_tensors(seen), _tensors(true), strict=True)
    errors = [(ours.float() - theirs.float()).norm() / theirs.float().norm() for ours, theirs in pairs]
    return float(torch.stack(errors).max())


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _copied(tree: Any) -> Any:
    return tree_map_only(torch.Tensor, torch.clone, tree)
