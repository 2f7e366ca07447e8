"""A compiled denoiser gives the eager one's results, row by row, and a failing compiler does no harm.

The compiler backend here is the one that needs no C++ compiler; everything before it is the code that always runs.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from generation.engine.calls.denoiser import denoise
from generation.engine.calls.fast_denoiser import ROW_BUCKETS, FastDenoiser, _shape_of
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models.precision import in_float32
from generation.models.catalog import Catalog
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.loaded_models.test_adapters import adapter
from tests.generation.engine.test_diffusers_engine import pixels, tiny_request
from tests.tiny_adapters import save_tiny_adapter
from tests.tiny_pipeline import tiny_pipeline


def inputs(rows: int, side: int = 8) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    random = torch.Generator().manual_seed(rows)
    states = torch.randn(rows, 16, 32, generator=random)
    return (
        torch.randn(rows, 4, side, side, generator=random),
        torch.arange(1.0, rows + 1),
        {"encoder_hidden_states": states},
    )


class SlowCompiler:
    """A backend that signals when it is at work, and continues when allowed to."""

    def __init__(self) -> None:
        self.compiling, self.may_compile = threading.Event(), threading.Event()

    def __call__(self, module: Any, _: Any) -> Any:
        self.compiling.set()
        assert self.may_compile.wait(60)
        return module


@torch.no_grad()
def test_each_row_is_what_the_usual_denoiser_says() -> None:
    pipeline: Any = tiny_pipeline()
    compiled = FastDenoiser(pipeline, backend="eager")
    for rows in (2, 3, 5):
        expected = denoise(pipeline, *inputs(rows))
        assert torch.equal(compiled(*inputs(rows)), expected)  # not ready yet, so the eager one answers
        compiled.wait()
        before = counters["stats"]["calls_captured"]
        assert torch.allclose(compiled(*inputs(rows)), expected, atol=1e-5)
        assert counters["stats"]["calls_captured"] == before  # nothing was compiled while the caller waited


@torch.no_grad()
def test_rows_share_a_bucket_and_sizes_do_not() -> None:
    compiled = FastDenoiser(tiny_pipeline(), backend="eager")
    for rows, side in ((3, 8), (4, 8), (3, 16)):
        compiled(*inputs(rows, side))
        compiled.wait()
    assert len(compiled._ready) == 2
    compiled(*inputs(max(ROW_BUCKETS) + 1))
    assert len(compiled._wanted) == 2  # beyond the largest bucket nothing is compiled


@torch.no_grad()
def test_what_is_said_to_be_compiled_is_however_many_sizes_there_are() -> None:
    torch._dynamo.reset()
    compiled = FastDenoiser(tiny_pipeline(), backend="eager")
    for side in range(4, 24, 2):
        before = counters["stats"]["unique_graphs"]
        compiled(*inputs(2, side))
        compiled.wait()  # so that the thread has ended before the next size
        assert counters["stats"]["unique_graphs"] > before


@torch.no_grad()
def test_the_twin_shares_its_weights() -> None:
    pipeline: Any = tiny_pipeline()
    compiled = FastDenoiser(pipeline, backend="eager")
    compiled(*inputs(2))
    compiled.wait()
    pipeline.unet.conv_out.weight.zero_()
    pipeline.unet.conv_out.bias.fill_(3.0)
    assert compiled(*inputs(2)).unique().tolist() == [3.0]


@torch.no_grad()
def test_where_nothing_can_be_compiled_the_usual_one_serves(caplog: pytest.LogCaptureFixture) -> None:
    pipeline: Any = tiny_pipeline()

    def broken(*_: Any) -> Any:
        raise RuntimeError("no C++ compiler was found")

    torch._dynamo.reset()
    compiled = FastDenoiser(pipeline, backend=broken)  # pyright: ignore[reportArgumentType] - torch takes either
    expected = denoise(pipeline, *inputs(2))
    for _ in range(2):
        assert torch.equal(compiled(*inputs(2)), expected)
        compiled.wait()
    assert len([record for record in caplog.records if "cannot be compiled" in record.message]) == 1


@torch.no_grad()
def test_what_was_put_there_just_when_the_thread_ended_is_compiled_at_the_next_call() -> None:
    compiled = FastDenoiser(tiny_pipeline(), backend="eager")
    shape = _shape_of(inputs(2))
    compiled._wanted.add(shape)
    compiled._examples.put((shape, inputs(2)))
    compiled(*inputs(2))
    compiled.wait()
    assert compiled._ready == {shape}


@torch.no_grad()
def test_a_model_is_compiled_also_while_another_is_in_float32() -> None:
    torch._dynamo.reset()
    compiled = FastDenoiser(tiny_pipeline(), backend="eager")
    before = counters["stats"]["unique_graphs"]
    with in_float32(tiny_pipeline().to(torch.bfloat16)):
        compiled(*inputs(2))
        compiled.wait()
    assert compiled._ready
    assert counters["stats"]["unique_graphs"] > before


@torch.no_grad()
def test_what_is_compiled_while_the_weights_are_others_is_compiled_again(caplog: pytest.LogCaptureFixture) -> None:
    compiler = SlowCompiler()

    def call() -> torch.Tensor:
        latents, timesteps, conditioning = inputs(2)
        states = {name: tensor.bfloat16() for name, tensor in conditioning.items()}
        return compiled(latents.bfloat16(), timesteps, states)

    torch._dynamo.reset()
    pipeline: Any = tiny_pipeline()
    pipeline.unet.to(torch.bfloat16)
    compiled = FastDenoiser(pipeline, backend=compiler)  # pyright: ignore[reportArgumentType]
    expected = call()
    assert compiler.compiling.wait(60)
    with compiled.resting(), in_float32(pipeline):
        compiler.may_compile.set()
        compiled.wait()
    assert not compiled._ready
    call()
    compiled.wait()
    assert compiled._ready
    assert torch.equal(call(), expected)
    assert "cannot be compiled" not in caplog.text


@torch.no_grad()
def test_layers_that_are_put_in_while_the_compiler_begins_are_none_of_its(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    pipeline: Any = tiny_pipeline()
    expected = denoise(pipeline, *inputs(2))
    compiled = FastDenoiser(pipeline, backend="eager")
    compile_all = compiled._compile

    def compile_later() -> None:
        pipeline.unet.conv_out = torch.nn.Sequential(pipeline.unet.conv_out, torch.nn.Tanh())  # as adapters do
        compile_all()

    monkeypatch.setattr(compiled, "_compile", compile_later)
    compiled(*inputs(2))
    compiled.wait()
    assert compiled._ready
    assert torch.allclose(compiled(*inputs(2)), expected, atol=1e-5)
    assert not torch.allclose(denoise(pipeline, *inputs(2)), expected, atol=1e-5)


@torch.no_grad()
def test_for_a_model_that_leaves_nothing_more_is_compiled() -> None:
    compiler = SlowCompiler()
    torch._dynamo.reset()
    compiled = FastDenoiser(tiny_pipeline(), backend=compiler)  # pyright: ignore[reportArgumentType]
    compiled(*inputs(2))
    assert compiler.compiling.wait(60)
    compiled(*inputs(4))
    compiled.close()
    compiler.may_compile.set()
    compiled.wait()
    assert compiled._ready == {_shape_of(inputs(2))}


@torch.no_grad()
def test_a_denoiser_with_adapters_is_called_as_it_is() -> None:
    pipeline: Any = tiny_pipeline()
    pipeline.unet.peft_config = {"default": object()}
    compiled = FastDenoiser(pipeline, backend="eager")
    compiled(*inputs(2))
    assert compiled._wanted == set()


def test_what_is_compiled_serves_whoever_wants_no_adapters(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tiny_catalog["ddim"]
    file = save_tiny_adapter(tmp_path, seed=1, model=entry.folder)
    catalog = Catalog({"ddim": replace(entry, adapters={"ink": adapter("ink", file)})})
    engine = make_engine(catalog, compiler="eager")
    plain = engine.run(tiny_request(), RecordedRun()).pictures[0].data
    assert engine._models._model is not None
    compiled = engine._models._model.fast_denoiser
    assert compiled is not None
    compiled.wait()
    inked = engine.run(tiny_request(adapter="ink", adapter_weight=0.5), RecordedRun()).pictures[0].data
    monkeypatch.delattr(compiled, "_eager")
    assert pixels(engine.run(tiny_request(), RecordedRun()).pictures[0].data) == pixels(plain) != pixels(inked)


def test_pictures_are_the_same_before_and_after(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine(compiler="eager")
    before = engine.run(tiny_request(), RecordedRun())
    assert engine._models._model is not None
    assert engine._models._model.fast_denoiser is not None
    engine._models._model.fast_denoiser.wait()
    assert engine._models._model.fast_denoiser._ready
    after = engine.run(tiny_request(), RecordedRun())
    assert pixels(before.pictures[0].data) == pixels(after.pictures[0].data)
