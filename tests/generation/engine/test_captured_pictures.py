"""Whole pictures with captured calls: the same as without, and no graph outlives the memory that it reads."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from generation.engine.base import BrokenOutput
from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.calls.fast_denoiser import FastDenoiser
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.latents.autoencoder import decode_in_slices
from generation.engine.loaded_models import loading
from tests.generation.engine.calls.test_cuda_graphs import CUDA, no_compiler
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.recorded_graphs import Graphs
from tests.generation.engine.test_diffusers_engine import pixels, tiny_request


@pytest.fixture
def capturing(
    graphs: Graphs, make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> Callable[[torch.dtype], DiffusersEngine]:
    """Make engines that have given up compiling and have captured the calls of a request's size."""

    def make(dtype: torch.dtype) -> DiffusersEngine:
        monkeypatch.setattr(loading, "graphs_for", lambda device: CudaGraphs(CUDA))
        torch._dynamo.reset()
        engine = make_engine(dtype=dtype, compiler=no_compiler)
        engine.run(tiny_request(), RecordedRun())
        fast_denoiser_of(engine).wait()
        engine.run(tiny_request(), RecordedRun())
        assert graphs.replays > 0
        return engine

    return make


def fast_denoiser_of(engine: DiffusersEngine) -> FastDenoiser:
    assert engine._models._model is not None
    assert engine._models._model.fast_denoiser is not None
    return engine._models._model.fast_denoiser


def test_pictures_are_the_same_with_graphs(
    graphs: Graphs, capturing: Callable[..., DiffusersEngine], make_engine: Callable[..., DiffusersEngine]
) -> None:
    plain = make_engine().run(tiny_request(), RecordedRun())
    engine = capturing(torch.float32)
    before = graphs.replays
    seen = engine.run(tiny_request(), RecordedRun())
    assert graphs.replays > before
    assert pixels(seen.pictures[0].data) == pixels(plain.pictures[0].data)
    engine._models.stop_capturing()
    before = graphs.replays
    engine.run(tiny_request(), RecordedRun())
    assert graphs.replays == before


@pytest.mark.parametrize("is_broken_in_float32_too", [False, True])
def test_a_picture_that_was_painted_in_float32_leaves_no_graph(
    graphs: Graphs, capturing: Callable[..., DiffusersEngine], is_broken_in_float32_too: bool
) -> None:
    engine = capturing(torch.float16)
    assert engine._models._model is not None
    vae = engine._models._model.pipeline.vae
    with torch.no_grad():
        vae.decoder.conv_in.weight.fill_(30_000.0)
        if is_broken_in_float32_too:
            vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(BrokenOutput) if is_broken_in_float32_too else contextlib.nullcontext():
        engine.run(tiny_request(), RecordedRun())
    captures = fast_denoiser_of(engine)._graphs
    assert captures is not None
    assert not captures._graphs  # they would read memory that no longer holds the weights


def test_a_model_that_leaves_leaves_no_graph(graphs: Graphs, capturing: Callable[..., DiffusersEngine]) -> None:
    engine = capturing(torch.float32)
    captures = fast_denoiser_of(engine)._graphs
    assert captures is not None
    assert captures._graphs
    engine._models._drop_all()
    assert not captures._graphs  # a compilation still running for it would keep their memory


def test_memory_that_ran_out_elsewhere_is_taken_from_the_graphs(
    graphs: Graphs, capturing: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = capturing(torch.float32)
    monkeypatch.setattr("generation.engine.course.decode_in_slices", _short_of_memory_once())
    (picture,) = engine.run(tiny_request(), RecordedRun()).pictures
    assert picture.data
    captures = fast_denoiser_of(engine)._graphs
    assert captures is not None
    assert not captures._graphs
    assert captures._gave_up


def _short_of_memory_once() -> Callable[..., Any]:
    fails = iter([True])

    def decode(pipeline: Any, latents: torch.Tensor) -> Any:
        if next(fails, False):
            raise torch.OutOfMemoryError
        return decode_in_slices(pipeline, latents)

    return decode
