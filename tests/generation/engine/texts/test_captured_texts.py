"""Texts encoded by replaying captured calls: the same embeddings, bit for bit, with adapters too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models import loading
from generation.engine.texts.conditioning import encode_text
from generation.models.catalog import Catalog
from tests.generation.engine.calls.test_cuda_graphs import CUDA
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.loaded_models.test_adapters import adapter
from tests.generation.engine.loaded_models.test_adapters import pixels as painted
from tests.generation.engine.recorded_graphs import Graphs
from tests.generation.engine.stock import stock_pipeline, tiny_request
from tests.tiny_adapters import save_tiny_adapter

TEXTS = ("a fox", "a red cat", "", "a fox")


@pytest.mark.parametrize(("model", "encoders"), [("ddim", 1), ("xl-euler", 2)])
@torch.no_grad()
def test_replays_say_what_the_text_encoders_say(
    tiny_catalog: Catalog, graphs: Graphs, model: str, encoders: int
) -> None:
    pipeline, captures = stock_pipeline(tiny_catalog, model), CudaGraphs(CUDA)
    first = encode_text(pipeline, TEXTS[0], captures)
    assert len(graphs.made) == encoders
    before = graphs.replays
    for text in TEXTS:
        expected = encode_text(pipeline, text)
        assert graphs.replays == before  # neither without graphs nor with those of another model
        told = encode_text(pipeline, text, captures)
        assert graphs.replays == (before := before + encoders)
        assert all(torch.equal(told[name], expected[name]) for name in expected)
    assert len(graphs.made) == encoders
    expected = encode_text(pipeline, TEXTS[0])
    assert all(torch.equal(first[name], expected[name]) for name in expected)  # not overwritten by a later replay


@torch.no_grad()
def test_a_text_encoder_is_itself_again_whatever_happens(
    tiny_catalog: Catalog, graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, captures = stock_pipeline(tiny_catalog, "ddim"), CudaGraphs(CUDA)
    usual = pipeline.text_encoder.forward
    encode_text(pipeline, "a fox", captures)
    assert pipeline.text_encoder.forward == usual

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "encode_prompt", fails)
        with pytest.raises(RuntimeError):
            encode_text(pipeline, "a fox", captures)
    assert pipeline.text_encoder.forward == usual


@torch.no_grad()
def test_a_text_in_chunks_is_read_by_replays_too(tiny_catalog: Catalog, graphs: Graphs) -> None:
    pipeline, captures = stock_pipeline(tiny_catalog, "ddim"), CudaGraphs(CUDA)
    text = "a (red:1.4) fox"
    expected = encode_text(pipeline, text)
    for _ in range(2):
        assert all(
            torch.equal(tensor, expected[name]) for name, tensor in encode_text(pipeline, text, captures).items()
        )
    assert graphs.replays > 0


@pytest.fixture
def make_capturing(
    graphs: Graphs, make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Catalog], DiffusersEngine]:
    def make(catalog: Catalog) -> DiffusersEngine:
        with monkeypatch.context() as patch:
            patch.setattr(loading, "graphs_for", lambda device: CudaGraphs(CUDA))
            engine = make_engine(catalog)
            engine.run(tiny_request(), RecordedRun())
        return engine

    return make


def test_an_adapter_of_the_text_encoder_is_in_effect(
    graphs: Graphs,
    make_capturing: Callable[[Catalog], DiffusersEngine],
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tmp_path: Path,
) -> None:
    ink = adapter("ink", save_tiny_adapter(tmp_path, seed=1, parts=("text_encoder",)))
    catalog = Catalog({"ddim": replace(tiny_catalog["ddim"], adapters={"ink": ink})})
    plain, capturing = make_engine(catalog), make_capturing(catalog)
    for number, changes in enumerate([{}, {"adapter": "ink", "adapter_weight": 1.5}, {}]):
        told: dict[str, Any] = {"prompt": f"fox number {number}", **changes}
        assert painted(capturing, **told) == painted(plain, **told)
        assert not changes or painted(plain, **told) != painted(plain, prompt=told["prompt"])
    assert graphs.replays > 0


def test_pictures_of_other_prompts_are_those_without_graphs(
    graphs: Graphs,
    make_capturing: Callable[[Catalog], DiffusersEngine],
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
) -> None:
    catalog = Catalog({"ddim": tiny_catalog["ddim"]})
    plain, capturing = make_engine(catalog), make_capturing(catalog)
    model = capturing._models._model
    assert model is not None
    assert model.graphs is not None
    assert any("text_encoder" in shape for shape in model.graphs._graphs if isinstance(shape, tuple))
    for prompt in ("a red cat", "a blue dog"):
        assert painted(capturing, prompt=prompt) == painted(plain, prompt=prompt)
