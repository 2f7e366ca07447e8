"""CUDA graphs without CUDA: operations are recorded while they run, and repeated on the same memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

_Operation = tuple[Any, Any, Any, list[torch.Tensor]]  # function, arguments, keywords, and its result tensors


class RecordedGraph:
    """A stand-in for torch.cuda.CUDAGraph: a replay reads and writes the memory that was used during capture."""

    def __init__(self) -> None:
        self.operations: list[_Operation] = []
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        for function, arguments, keywords, places in self.operations:
            results = _tensors(function(*arguments, **keywords))
            for place, result in zip(places, results, strict=True):
                if _address(place) != _address(result):
                    place.copy_(result)


class _Recording(TorchDispatchMode):
    def __init__(self, graph: RecordedGraph) -> None:
        super().__init__()
        self._graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        kept = tree_map_only(torch.Tensor, _same_memory, (args, kwargs or {}))
        self._graph.operations.append((func, *kept, [_same_memory(tensor) for tensor in _tensors(results)]))
        return results


class Stream:
    """A stream that has always finished its work before it gets more."""

    def synchronize(self) -> None:
        """Return at once."""

    def wait_stream(self, other: "Stream") -> None:
        """Return at once."""


class Event:
    """An event that is reached as soon as it is recorded."""

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.seconds = 0.0
        self.is_waited_for = False

    def record(self, stream: Stream) -> None:
        """Record the time."""
        self.seconds = time.perf_counter()

    def query(self) -> bool:
        """Return False until someone has waited for it, because a GPU lags behind."""
        assert self.seconds, "it was not recorded"
        return self.is_waited_for

    def synchronize(self) -> None:
        """Return at once."""
        self.is_waited_for = True
        assert self.seconds, "it was not recorded"

    def elapsed_time(self, later: "Event") -> float:
        """Return the milliseconds between two events."""
        return 1000 * (later.seconds - self.seconds)


class Graphs:
    """What was captured, how much memory there is, and the current stream, for tests to inspect."""

    def __init__(self) -> None:
        self.made: list[RecordedGraph] = []
        self.free_bytes = 2**40
        self.usual_stream = self.stream = Stream()
        self.is_capturing = False
        self._stuck_pools: list[object] = []

    def make(self) -> RecordedGraph:
        self.made.append(RecordedGraph())
        return self.made[-1]

    @contextmanager
    def capture(self, graph: RecordedGraph, *, pool: Any, stream: "Stream", capture_error_mode: str) -> Iterator[None]:
        """Record on a stream; as in torch 2.13, the stream and the pool are left only if all goes well."""
        assert pool is not None
        if any(pool is stuck for stuck in self._stuck_pools):
            raise RuntimeError("beginAllocateToPool: already recording to mempool_id")
        assert capture_error_mode == "thread_local"
        before, self.stream = self.stream, stream
        self.is_capturing = True
        try:
            with _Recording(graph):
                yield
        except BaseException:
            self._stuck_pools.append(pool)
            raise
        finally:
            self.is_capturing = False
        self.stream = before

    @contextmanager
    def on_stream(self, stream: "Stream") -> Iterator[None]:
        """Compute on a stream, then return to the one before."""
        before, self.stream = self.stream, stream
        try:
            yield
        finally:
            self.stream = before

    @property
    def replays(self) -> int:
        return sum(graph.replays for graph in self.made)


def record_graphs(monkeypatch: pytest.MonkeyPatch) -> Graphs:
    """Replace CUDA graphs by these, which work on CPU tensors."""
    for thread in threading.enumerate():
        if thread.name == "compile":  # left by an earlier test; nothing is captured while it runs
            thread.join(60)
    graphs = Graphs()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graphs.make)
    monkeypatch.setattr(torch.cuda, "graph", graphs.capture)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: graphs.stream)
    monkeypatch.setattr(torch.cuda, "stream", graphs.on_stream)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    monkeypatch.setattr("generation.engine.calls.cuda_graphs.free_bytes", lambda device: graphs.free_bytes)
    return graphs


def _same_memory(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that keeps this memory, even if a parameter is given other memory."""
    return torch.ops.aten.detach.default(tensor)


def _address(tensor: torch.Tensor) -> int:
    """Return a tensor's address; a tensor on the pretended card uses the memory of another one."""
    return getattr(tensor, "held", tensor).data_ptr()


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_flatten(values)[0] if isinstance(value, torch.Tensor)]
