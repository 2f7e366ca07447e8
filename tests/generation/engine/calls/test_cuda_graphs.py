"""Captured calls give the calls' own results, for every shape and after everything that could break them."""

from typing import Any

import pytest
import torch

from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.calls.denoiser import denoise
from generation.engine.calls.fast_denoiser import FastDenoiser
from generation.engine.loaded_models.precision import in_float32
from tests.generation.engine.calls.test_fast_denoiser import SlowCompiler, inputs
from tests.generation.engine.recorded_graphs import Graphs
from tests.tiny_pipeline import tiny_pipeline

CUDA = torch.device("cuda")


def no_compiler(*_: Any) -> Any:
    raise RuntimeError("no C++ compiler was found")


def captured(pipeline: Any, backend: Any = "eager") -> FastDenoiser:
    """Return a denoiser that has been compiled for two rows, or not if nothing can be compiled."""
    torch._dynamo.reset()
    denoiser = FastDenoiser(pipeline, backend=backend, graphs=CudaGraphs(CUDA))
    denoiser(*inputs(2))
    denoiser.wait()
    return denoiser


@torch.no_grad()
@pytest.mark.parametrize("backend", ["eager", no_compiler])
def test_replays_say_what_calls_say(graphs: Graphs, backend: Any) -> None:
    pipeline: Any = tiny_pipeline()
    denoiser = captured(pipeline, backend)
    denoiser(*inputs(2))
    assert len(graphs.made) == (2 if backend == "eager" else 1)  # of the compiled call, and of the eager one
    first = denoiser(*inputs(2))
    before = graphs.replays
    for seed in range(3):
        latents, timesteps, conditioning = inputs(2)
        latents, timesteps = latents + seed, timesteps + 100 * seed
        expected = denoise(pipeline, latents, timesteps, conditioning)
        assert torch.allclose(denoiser(latents, timesteps, conditioning), expected, atol=1e-5)
    assert graphs.replays == before + 3
    assert torch.allclose(first, denoise(pipeline, *inputs(2)), atol=1e-5)  # not overwritten by a later replay


@torch.no_grad()
def test_each_shape_and_number_of_rows_has_a_graph(graphs: Graphs) -> None:
    pipeline: Any = tiny_pipeline()
    denoiser = captured(pipeline, no_compiler)
    for rows, side in ((3, 8), (4, 8), (3, 16), (3, 8)):
        expected = denoise(pipeline, *inputs(rows, side))
        assert torch.allclose(denoiser(*inputs(rows, side)), expected, atol=1e-5)
    assert len(graphs.made) == 4  # including the one for two rows


@torch.no_grad()
def test_without_a_compiler_calls_are_captured_at_once(graphs: Graphs) -> None:
    pipeline: Any = tiny_pipeline()
    denoiser = FastDenoiser(pipeline, backend=None, graphs=CudaGraphs(CUDA))
    denoiser(*inputs(2))
    assert torch.allclose(denoiser(*inputs(2)), denoise(pipeline, *inputs(2)), atol=1e-5)
    assert [graph.replays for graph in graphs.made] == [2]  # one of them to check the capture


@torch.no_grad()
def test_while_the_compiler_is_at_work_calls_are_replayed_and_not_captured(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = SlowCompiler()
    torch._dynamo.reset()
    denoiser = FastDenoiser(tiny_pipeline(), backend=compiler, graphs=CudaGraphs(CUDA))  # pyright: ignore
    denoiser(*inputs(2))
    assert compiler.compiling.wait(60)
    assert len(graphs.made) == 1
    before = graphs.replays
    denoiser(*inputs(2))
    assert graphs.replays == before + 1
    denoiser(*inputs(4))
    another = FastDenoiser(tiny_pipeline(), backend=None, graphs=CudaGraphs(CUDA))  # of another model
    another(*inputs(2))
    assert len(graphs.made) == 1
    compiler.may_compile.set()
    denoiser.wait()
    denoiser(*inputs(4))
    assert len(graphs.made) == 2
    another(*inputs(2))
    assert len(graphs.made) == 3


@torch.no_grad()
def test_what_was_captured_is_forgotten_when_weights_lie_elsewhere(graphs: Graphs) -> None:
    pipeline: Any = tiny_pipeline()
    pipeline.unet.to(torch.bfloat16)
    torch._dynamo.reset()
    denoiser = FastDenoiser(pipeline, backend=no_compiler, graphs=CudaGraphs(CUDA))  # pyright: ignore

    def call() -> torch.Tensor:
        latents, timesteps, conditioning = inputs(2)
        states = {name: tensor.bfloat16() for name, tensor in conditioning.items()}
        return denoiser(latents.bfloat16(), timesteps, states)

    call()
    denoiser.wait()
    call()
    with in_float32(pipeline):
        pass
    pipeline.unet.conv_out.weight.zero_()
    pipeline.unet.conv_out.bias.fill_(3.0)
    assert call().unique().tolist() != [3.0]  # which is what a replay would read
    denoiser.forget_graphs()
    for _ in range(2):
        assert call().unique().tolist() == [3.0]
    assert len(graphs.made) == 2


@torch.no_grad()
def test_a_shape_that_cannot_be_captured_is_left_and_after_three_all_are(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "graph", _broken)
    pipeline: Any = tiny_pipeline()
    denoiser = captured(pipeline, no_compiler)
    for rows in (2, 2, 4, 4, 1, 3):
        expected = denoise(pipeline, *inputs(rows))
        assert torch.equal(denoiser(*inputs(rows)), expected)
    assert len(graphs.made) == 3
    messages = [record.message for record in caplog.records]
    assert len([message for message in messages if "cannot be captured" in message]) == 3
    assert messages[-1] == "calls are no longer captured"


@torch.no_grad()
def test_a_capture_that_fails_leaves_what_was_captured(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    denoiser = captured(tiny_pipeline(), no_compiler)
    usual = torch.cuda.graph
    monkeypatch.setattr(torch.cuda, "graph", _broken)
    denoiser(*inputs(4))
    monkeypatch.setattr(torch.cuda, "graph", usual)
    before = graphs.replays
    denoiser(*inputs(2))
    assert graphs.replays == before + 1
    denoiser(*inputs(1))
    assert graphs.replays == before + 2


@torch.no_grad()
def test_without_memory_for_a_capture_there_is_none_any_more(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    captures = CudaGraphs(CUDA)
    monkeypatch.setattr(torch.cuda, "graph", _short_of_memory)
    assert torch.equal(captures.call("shape", lambda latents, *_: 2 * latents, *inputs(2)), 2 * inputs(2)[0])
    captures.call("another", lambda latents, *_: 2 * latents, *inputs(2))
    assert len(graphs.made) == 1
    captures.stop_capturing()
    assert caplog.text.count("not enough memory for captured calls") == 1


@torch.no_grad()
def test_after_a_capture_that_fails_one_computes_where_one_did(graphs: Graphs) -> None:
    captures = CudaGraphs(CUDA)

    def refuses(latents: torch.Tensor, *_: Any) -> torch.Tensor:
        if graphs.is_capturing:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        return 2 * latents

    for _ in range(2):
        assert torch.equal(captures.call("shape", refuses, *inputs(2)), 2 * inputs(2)[0])
        assert graphs.stream is graphs.usual_stream
    assert len(graphs.made) == 1
    for _ in range(2):  # in a new pool: torch keeps the one of the failed capture
        assert torch.equal(captures.call("another", lambda latents, *_: 3 * latents, *inputs(2)), 3 * inputs(2)[0])
    assert [graph.replays for graph in graphs.made] == [0, 2]


@torch.no_grad()
def test_what_has_to_be_prepared_for_a_stream_is_before_it_is_captured(
    graphs: Graphs, caplog: pytest.LogCaptureFixture
) -> None:
    captures, prepared_for = CudaGraphs(CUDA), set[object]()

    def prepares(latents: torch.Tensor, *_: Any) -> torch.Tensor:
        if graphs.stream not in prepared_for:
            assert not graphs.is_capturing
            prepared_for.add(graphs.stream)
        return 2 * latents

    for rows in (2, 4):
        captures.call(rows, prepares, *inputs(rows))
    assert not caplog.records
    assert len(prepared_for) == 2  # the current stream, and the one on which all graphs are captured


@torch.no_grad()
def test_a_call_that_says_nothing_is_no_reason_to_give_up(graphs: Graphs, caplog: pytest.LogCaptureFixture) -> None:
    captures = CudaGraphs(CUDA)
    latents, timesteps, conditioning = inputs(2)
    captures.call("shape", lambda latents, *_: 2 * latents, latents * float("nan"), timesteps, conditioning)
    assert graphs.made == []
    captures.call("shape", lambda latents, *_: 2 * latents, latents, timesteps, conditioning)
    assert [graph.replays for graph in graphs.made] == [1]
    assert not caplog.records


def _broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


@torch.no_grad()
def test_a_replay_that_says_something_else_is_not_used(graphs: Graphs, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def differs_when_captured(latents: torch.Tensor, *_: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return latents * calls

    captures = CudaGraphs(CUDA)
    shape = inputs(2)
    assert torch.equal(captures.call("shape", differs_when_captured, *shape), shape[0])
    assert torch.equal(captures.call("shape", differs_when_captured, *shape), 4 * shape[0])  # called eagerly
    assert "gives another result" in caplog.text
    assert len(graphs.made) == 1


@torch.no_grad()
def test_without_room_nothing_is_captured_yet(graphs: Graphs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    captures = CudaGraphs(CUDA)
    graphs.free_bytes = 2000  # the peak of a call
    for _ in range(2):
        captures.call("shape", lambda latents, *_: 2 * latents, *inputs(2))
    assert graphs.made == []
    assert caplog.text.count("of the card's memory are free") == 1
    graphs.free_bytes = 2001
    captures.call("shape", lambda latents, *_: 2 * latents, *inputs(2))
    assert len(graphs.made) == 1


@torch.no_grad()
def test_memory_that_runs_out_is_taken_from_the_graphs(graphs: Graphs) -> None:
    captures = CudaGraphs(CUDA)
    captures.call("small", lambda latents, *_: 2 * latents, *inputs(2))

    def call_beside_graphs(latents: torch.Tensor, *_: Any) -> torch.Tensor:
        if captures._graphs:
            raise torch.OutOfMemoryError
        return 3 * latents

    shape = inputs(4)
    assert torch.equal(captures.call("large", call_beside_graphs, *shape), 3 * shape[0])
    captures.call("small", lambda latents, *_: 2 * latents, *inputs(2))
    assert len(graphs.made) == 1  # no new ones
    with pytest.raises(torch.OutOfMemoryError):
        captures.call("larger", _short_of_memory, *shape)


def _short_of_memory(*_: Any, **__: Any) -> torch.Tensor:
    raise torch.OutOfMemoryError


@torch.no_grad()
def test_shapes_that_were_not_asked_for_lately_leave(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.engine.calls.cuda_graphs._MAX_GRAPHS", 2)
    captures = CudaGraphs(CUDA)
    for shape in ("a", "b", "a", "c", "a", "b"):
        captures.call(shape, lambda latents, *_: 2 * latents, *inputs(2))
    assert len(graphs.made) == 4  # b was captured twice
