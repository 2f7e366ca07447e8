"""The engine on random pipelines: parity with diffusers, determinism, progress, cancel, broken output."""

import io
import logging
from collections.abc import Callable
from typing import Any

import diffusers.schedulers
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from PIL import Image

from generation.catalog import Catalog
from generation.engine.base import BrokenOutput, DeviceLost, OutOfMemory, RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.schedules import schedule_of
from generation.errors import ImageRefused, ModelUnavailable
from generation.executors.budgets import Phase
from generation.images.fit import fit_image
from generation.images.metadata import read_parameters
from generation.requests import STRENGTH_SCHEDULES, Img2ImgRequest, StrengthSchedule
from generation.samplers import SAMPLERS
from tests.generation.engine.conftest import RecordedRun
from tests.generation.samples import request


def gradient(width: int, height: int) -> bytes:
    image = Image.merge("RGB", [Image.linear_gradient("L").resize((width, height)).rotate(90 * n) for n in range(3)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tiny_request(**changes: Any) -> Img2ImgRequest:
    fields = {"image": gradient(64, 64), "model": "ddim", "native": True, "num_inference_steps": 8, **changes}
    return request("a cat on grass", **fields)


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def as_tensor(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(pixels(data)), dtype=torch.uint8).float()


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


def stock_pipeline(catalog: Catalog, wanted: Img2ImgRequest) -> Any:
    pipeline: Any = StableDiffusionImg2ImgPipeline.from_pretrained(
        str(catalog[wanted.model].folder), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def called_directly(
    catalog: Catalog, wanted: Img2ImgRequest, size: tuple[int, int], *, scheduler: Any = None, **changes: Any
) -> Image.Image:
    """Call diffusers' own pipeline with every argument written out."""
    pipeline = stock_pipeline(catalog, wanted)
    if scheduler is not None:
        pipeline.scheduler = scheduler
    with Image.open(io.BytesIO(wanted.image)) as image:
        fitted = fit_image(image.convert("RGB"), *size)
    arguments: dict[str, Any] = {
        "prompt": wanted.prompt,
        "image": fitted,
        "strength": wanted.strength,
        "num_inference_steps": wanted.num_inference_steps,
        "guidance_scale": wanted.guidance_scale,
        "negative_prompt": wanted.negative_prompt,
        "generator": torch.Generator("cpu").manual_seed(wanted.seed),
    }
    return pipeline(**{**arguments, **changes}).images[0]


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
    assert pixels(picture.data) == called_directly(tiny_catalog, wanted, (64, 64)).tobytes()


@pytest.mark.parametrize(("strength", "steps"), [(0.5, 8), (0.75, 20), (0.9, 10)])
def test_by_noise_it_is_the_picture_that_diffusers_paints_with_these_sigmas(
    engine: DiffusersEngine, tiny_catalog: Catalog, strength: float, steps: int
) -> None:
    wanted = tiny_request(sampler="euler", strength=strength, num_inference_steps=steps, strength_schedule="noise")
    run = RecordedRun()
    picture = engine.run(wanted, run).pictures[0]
    assert (picture.parameters["strength_schedule"], picture.parameters["sampler"]) == ("noise", "euler")
    assert run.told[-3] == (engine.total_steps(wanted), engine.total_steps(wanted))
    scheduler = schedule_of(stock_pipeline(tiny_catalog, wanted).scheduler, wanted).scheduler
    stock = EulerDiscreteScheduler.from_config(scheduler.config)
    changes = {"strength": 1.0, "sigmas": scheduler.sigmas.tolist(), "num_inference_steps": None}
    direct = called_directly(tiny_catalog, wanted, (64, 64), scheduler=stock, **changes)
    assert pixels(picture.data) == direct.tobytes()


@pytest.mark.parametrize("sampler", ["dpm++2m-karras", "unipc"])
@pytest.mark.parametrize(("strength", "steps"), [(0.5, 8), (0.75, 20)])
def test_by_noise_it_is_the_picture_that_diffusers_paints_between_these_ends(
    engine: DiffusersEngine, tiny_catalog: Catalog, sampler: str, strength: float, steps: int
) -> None:
    """diffusers takes no sigmas for these two (UniPC's only with flow matching), but the ends of Karras' schedule."""
    wanted = tiny_request(sampler=sampler, strength=strength, num_inference_steps=steps, strength_schedule="noise")
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    schedule = schedule_of(stock_pipeline(tiny_catalog, wanted).scheduler, wanted)
    stock = schedule.scheduler.__class__.from_config(schedule.scheduler.config)
    sigmas = schedule.scheduler.sigmas
    stock.register_to_config(sigma_max=float(sigmas[0]), sigma_min=float(sigmas[-2]))
    changes = {"strength": 1.0, "num_inference_steps": len(schedule.timesteps)}
    direct = called_directly(tiny_catalog, wanted, (64, 64), scheduler=stock, **changes)
    # The same sigmas but for the last bits of numbers that diffusers rounds elsewhere.
    assert torch.allclose(as_tensor(picture.data), as_tensor(encoded(direct)), atol=1)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
@pytest.mark.parametrize("strength_schedule", STRENGTH_SCHEDULES)
def test_every_sampler_paints_what_was_announced_and_again_the_same(
    engine: DiffusersEngine, sampler: str, strength_schedule: StrengthSchedule
) -> None:
    wanted = tiny_request(sampler=sampler, strength_schedule=strength_schedule, strength=0.3, num_inference_steps=10)
    run = RecordedRun()
    first = engine.run(wanted, run)
    assert [told for told in run.told if isinstance(told, tuple)] == [(1, 3), (2, 3), (3, 3)]
    engine.run(tiny_request(sampler="dpm++2m-karras", strength_schedule="noise"), RecordedRun())
    assert engine.run(wanted, RecordedRun()).pictures[0].data == first.pictures[0].data


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "own"])
def test_by_index_every_sampler_is_diffusers_own(engine: DiffusersEngine, tiny_catalog: Catalog, sampler: str) -> None:
    wanted = tiny_request(sampler=sampler, num_inference_steps=12)
    named = SAMPLERS[sampler]
    stock = stock_pipeline(tiny_catalog, wanted).scheduler
    stock = getattr(diffusers.schedulers, str(named.scheduler)).from_config(stock.config, **named.config)
    direct = called_directly(tiny_catalog, wanted, (64, 64), scheduler=stock)
    assert pixels(engine.run(wanted, RecordedRun()).pictures[0].data) == direct.tobytes()


def test_the_aspect_is_kept_within_the_budget(engine: DiffusersEngine, tiny_catalog: Catalog) -> None:
    wanted = tiny_request(image=gradient(300, 150))
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    assert (picture.width, picture.height) == (80, 40)
    assert pixels(picture.data) == called_directly(tiny_catalog, wanted, (80, 40)).tobytes()


def test_the_same_request_gives_the_same_bytes(
    engine: DiffusersEngine, make_engine: Callable[..., DiffusersEngine]
) -> None:
    first = engine.run(tiny_request(), RecordedRun())
    engine.run(tiny_request(seed=99, model="pndm"), RecordedRun())  # something else in between, on another model
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
    picture = [Phase.ENCODE, (1, 4), (2, 4), Phase.DECODE, Phase.DECODE]
    second = [Phase.ENCODE, (3, 4), (4, 4), Phase.DECODE, Phase.DECODE]
    assert run.told == [Phase.LOAD, *picture, *second]


def test_the_announced_total_is_the_number_of_steps(engine: DiffusersEngine) -> None:
    wanted = tiny_request(count=2)
    run = RecordedRun()
    engine.run(wanted, run)
    assert run.told[-3] == (engine.total_steps(wanted), engine.total_steps(wanted))


def test_a_scheduler_with_steps_of_its_own_is_counted_right(engine: DiffusersEngine) -> None:
    run = RecordedRun()
    result = engine.run(tiny_request(model="pndm", strength=1.0, num_inference_steps=4), run)
    assert [told for told in run.told if isinstance(told, tuple)] == [(step, 5) for step in range(1, 6)]
    assert result.pictures[0].parameters["denoising_steps"] == 5


@pytest.mark.parametrize("model", ["ddim", "pndm"])
def test_a_cancelled_run_leaves_no_trace_in_the_next(engine: DiffusersEngine, model: str) -> None:
    wanted = tiny_request(model=model)
    expected = engine.run(wanted, RecordedRun()).pictures[0].data
    run = RecordedRun(cancel_at_step=2)
    with pytest.raises(RunCancelled):
        engine.run(wanted, run)
    assert run.told[-1] == (2, 5 if model == "pndm" else 4)
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
    assert engine.run(tiny_request(), RecordedRun()).pictures  # goes on as if nothing had been


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
