"""The engine on random pipelines: parity with diffusers, determinism, progress, cancellation, broken output."""

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from generation.engine.base import BrokenOutput, DeviceLost, OutOfMemory, RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.errors import ImageRefused, ModelUnavailable
from generation.images.metadata import read_parameters
from generation.models.catalog import Catalog
from generation.phases import Phase
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, gradient, stock_pipeline, tiny_request


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": "pndm"},
        {"strength": 1.0, "num_inference_steps": 5, "seed": 2**32 - 1},
        {"guidance_scale": 0.0, "strength": 0.2},
        {"negative_prompt": "rain", "guidance_scale": 7.5},
    ],
)
def test_the_picture_is_the_one_that_diffusers_paints(
    engine: DiffusersEngine, tiny_catalog: Catalog, changes: dict[str, Any]
) -> None:
    wanted = tiny_request(**changes)
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    assert pixels(picture.data) == called_directly(stock_pipeline(tiny_catalog, wanted.model), wanted).tobytes()


def test_the_aspect_is_kept_within_the_budget(engine: DiffusersEngine, tiny_catalog: Catalog) -> None:
    wanted = tiny_request(image=gradient(300, 150))
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    assert (picture.width, picture.height) == (80, 40)
    assert picture.parameters["trimmed"] == 0
    assert (
        pixels(picture.data) == called_directly(stock_pipeline(tiny_catalog, wanted.model), wanted, (80, 40)).tobytes()
    )


def test_of_a_picture_that_is_too_long_the_rest_is_told(engine: DiffusersEngine) -> None:
    picture = engine.run(tiny_request(image=gradient(320, 20)), RecordedRun()).pictures[0]
    assert picture.parameters["trimmed"] == 1 - (picture.width / picture.height) / 16 >= 0.7


def test_the_same_request_gives_the_same_bytes(
    engine: DiffusersEngine, make_engine: Callable[..., DiffusersEngine]
) -> None:
    first = engine.run(tiny_request(), RecordedRun())
    engine.run(tiny_request(seed=99, model="pndm"), RecordedRun())  # something else in between, with another model
    again = engine.run(tiny_request(), RecordedRun())
    elsewhere = make_engine().run(tiny_request(), RecordedRun())
    assert first.pictures[0].data == again.pictures[0].data == elsewhere.pictures[0].data


def test_picture_i_of_a_request_is_the_picture_of_seed_plus_i(engine: DiffusersEngine) -> None:
    together = engine.run(tiny_request(count=3, seed=2**32 - 2), RecordedRun())
    assert [picture.seed for picture in together.pictures] == [2**32 - 2, 2**32 - 1, 0]
    assert len({picture.data for picture in together.pictures}) == 3
    alone = engine.run(tiny_request(seed=0), RecordedRun())
    assert pixels(together.pictures[2].data) == pixels(alone.pictures[0].data)


def test_phases_and_steps_are_told_in_order(engine: DiffusersEngine) -> None:
    run = RecordedRun()
    engine.run(tiny_request(count=2, strength=0.25), run)
    assert [told for told in run.told if isinstance(told, tuple)] == [(step, 4) for step in range(1, 5)]
    phases = [told for told in run.told if not isinstance(told, tuple)]
    assert phases[0] == Phase.LOAD
    assert (phases.count(Phase.ENCODE), phases.count(Phase.DECODE)) == (2, 3)  # the last one: files are written
    assert run.told[-1] == Phase.DECODE


def test_the_announced_total_is_the_number_of_steps(engine: DiffusersEngine) -> None:
    wanted = tiny_request(count=2)
    run = RecordedRun()
    engine.run(wanted, run)
    assert max(told for told in run.told if isinstance(told, tuple)) == (engine.total_steps(wanted),) * 2


def test_a_scheduler_with_steps_of_its_own_is_counted_right(make_engine: Callable[..., DiffusersEngine]) -> None:
    run, engine, wanted = RecordedRun(), make_engine(), tiny_request(model="pndm", strength=1.0, num_inference_steps=4)
    assert engine.total_steps(wanted) == 5  # before it is loaded
    assert engine.total_steps(replace(wanted, sampler="euler")) == 4
    result = engine.run(wanted, run)
    assert [told for told in run.told if isinstance(told, tuple)] == [(step, 5) for step in range(1, 6)]
    assert result.pictures[0].parameters["denoising_steps"] == 5


@pytest.mark.parametrize("model", ["ddim", "pndm"])
def test_a_cancelled_run_leaves_no_trace_in_the_next(engine: DiffusersEngine, model: str) -> None:
    wanted = tiny_request(model=model)
    expected = engine.run(wanted, RecordedRun()).pictures[0].data
    run = RecordedRun(cancel_at_step=2)
    with pytest.raises(RunCancelled):
        engine.run(wanted, run)
    assert [told for told in run.told if isinstance(told, tuple)][-1] == (2, 5 if model == "pndm" else 4)
    assert engine.run(wanted, RecordedRun()).pictures[0].data == expected


def test_a_small_result_is_enlarged_and_says_so(engine: DiffusersEngine) -> None:
    native = engine.run(tiny_request(), RecordedRun()).pictures[0]
    enlarged = engine.run(tiny_request(native=False), RecordedRun()).pictures[0]
    assert (native.width, native.height) == (enlarged.native_width, enlarged.native_height) == (64, 64)
    assert (enlarged.width, enlarged.height) == (512, 512)
    with Image.open(io.BytesIO(enlarged.data)) as image:
        assert image.size == (512, 512)
    record = read_parameters(enlarged.data)
    assert record is not None
    assert record == enlarged.parameters
    assert (record["seed"], record["native_width"], record["enlarged_by"]) == (7, 64, 8)
    assert (record["scheduler"], record["dtype"], len(record["revision"])) == ("DDIMScheduler", "float32", 40)


def test_a_result_over_its_limit_is_refused_or_made_smaller(engine: DiffusersEngine) -> None:
    as_png = engine.run(tiny_request(native=False), RecordedRun()).pictures[0]
    limited = engine.run(tiny_request(native=False, max_result_bytes=len(as_png.data) // 4), RecordedRun())
    assert limited.pictures[0].media_type == "image/jpeg"
    assert len(limited.pictures[0].data) <= len(as_png.data) // 4
    with pytest.raises(ImageRefused):
        engine.run(tiny_request(max_result_bytes=100), RecordedRun())


@pytest.mark.parametrize("value", [float("nan"), -1.0])
def test_nan_and_black_are_not_results(make_engine: Callable[..., DiffusersEngine], value: float) -> None:
    engine = make_engine()
    engine.preload()
    assert engine._models._model is not None
    with torch.no_grad():
        decoder = engine._models._model.pipeline.vae.decoder.conv_out
        decoder.weight.zero_()
        decoder.bias.fill_(value)
    with pytest.raises(BrokenOutput):
        engine.run(tiny_request(), RecordedRun())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory),
        (torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), OutOfMemory),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), OutOfMemory),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), DeviceLost),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLost),
        (ZeroDivisionError("somebody's mistake"), ZeroDivisionError),
    ],
)
def test_errors_of_the_device_are_told_apart(
    make_engine: Callable[..., DiffusersEngine], error: Exception, expected: type[Exception]
) -> None:
    engine = make_engine()
    engine.preload()
    assert engine._models._model is not None

    def fail(*_: object) -> None:
        raise error

    hook = engine._models._model.pipeline.unet.register_forward_pre_hook(fail)
    with pytest.raises(expected):
        engine.run(tiny_request(), RecordedRun())
    hook.remove()
    assert engine.run(tiny_request(), RecordedRun()).pictures  # carries on as if nothing had happened


def test_an_unknown_model_is_named(engine: DiffusersEngine) -> None:
    with pytest.raises(ModelUnavailable, match="unknown"):
        engine.run(tiny_request(model="nobody"), RecordedRun())


def test_a_long_prompt_is_not_quoted_in_the_log(
    engine: DiffusersEngine, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.run(tiny_request(negative_prompt="secret " * 100), RecordedRun())
    captured = capfd.readouterr()
    assert "secret" not in caplog.text + captured.out + captured.err
