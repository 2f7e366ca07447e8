"""Every sampler through the engine, with both meanings of strength, compared with diffusers' own pipeline."""

import io
from typing import Any

import diffusers.schedulers
import numpy as np
import pytest
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.painting import paint_alone
from generation.engine.schedules import schedule_of
from generation.models.catalog import Catalog
from generation.requests import STRENGTH_SCHEDULES, Img2ImgRequest, StrengthSchedule
from generation.samplers import SAMPLERS
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, stock_pipeline, tiny_request

NAMED = [name for name in SAMPLERS if name != "own"]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.int16)


def painted(engine: DiffusersEngine, wanted: Img2ImgRequest) -> np.ndarray:
    with Image.open(io.BytesIO(engine.run(wanted, RecordedRun()).pictures[0].data)) as image:
        return pixels(image)


@pytest.mark.parametrize("sampler", NAMED)
def test_by_index_every_sampler_is_diffusers_own(engine: DiffusersEngine, tiny_catalog: Catalog, sampler: str) -> None:
    wanted = tiny_request(sampler=sampler, num_inference_steps=12)
    named, pipeline = SAMPLERS[sampler], stock_pipeline(tiny_catalog, wanted.model)
    kind: Any = getattr(diffusers.schedulers, str(named.scheduler))
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **named.config)
    assert np.array_equal(painted(engine, wanted), pixels(called_directly(pipeline, wanted)))


@pytest.mark.parametrize(("strength", "steps"), [(0.5, 8), (0.75, 20), (0.9, 10)])
def test_by_noise_it_is_the_picture_that_diffusers_paints_with_these_sigmas(
    engine: DiffusersEngine, tiny_catalog: Catalog, strength: float, steps: int
) -> None:
    wanted = tiny_request(sampler="euler", strength=strength, num_inference_steps=steps, strength_schedule="noise")
    pipeline = stock_pipeline(tiny_catalog, wanted.model)
    scheduler = schedule_of(pipeline.scheduler, wanted).scheduler
    pipeline.scheduler = EulerDiscreteScheduler.from_config(scheduler.config)
    changes = {"strength": 1.0, "sigmas": scheduler.sigmas.tolist(), "num_inference_steps": None}
    assert np.array_equal(painted(engine, wanted), pixels(called_directly(pipeline, wanted, **changes)))


@pytest.mark.parametrize("sampler", ["dpm++2m-karras", "unipc"])
@pytest.mark.parametrize(("strength", "steps"), [(0.5, 8), (0.75, 20), (0.9, 10)])
def test_by_noise_it_is_the_picture_that_diffusers_paints_between_these_ends(
    engine: DiffusersEngine, tiny_catalog: Catalog, sampler: str, strength: float, steps: int
) -> None:
    """diffusers accepts no sigmas for these two (UniPC's only with flow matching), but the ends of Karras' schedule."""
    wanted = tiny_request(sampler=sampler, strength=strength, num_inference_steps=steps, strength_schedule="noise")
    pipeline = stock_pipeline(tiny_catalog, wanted.model)
    schedule = schedule_of(pipeline.scheduler, wanted)
    sigmas = schedule.scheduler.sigmas
    pipeline.scheduler = type(schedule.scheduler).from_config(schedule.scheduler.config)
    pipeline.scheduler.register_to_config(sigma_max=float(sigmas[0]), sigma_min=float(sigmas[-2]))
    direct = called_directly(pipeline, wanted, strength=1.0, num_inference_steps=len(schedule.timesteps))
    # The same sigmas except for the last bits, which diffusers rounds elsewhere.
    assert np.abs(painted(engine, wanted) - pixels(direct)).max() <= 1


@pytest.mark.parametrize("sampler", list(SAMPLERS))
@pytest.mark.parametrize("strength_schedule", STRENGTH_SCHEDULES)
def test_every_sampler_paints_what_was_announced_and_again_the_same(
    engine: DiffusersEngine, sampler: str, strength_schedule: StrengthSchedule
) -> None:
    wanted = tiny_request(sampler=sampler, strength_schedule=strength_schedule, strength=0.3, num_inference_steps=10)
    run = RecordedRun()
    first = engine.run(wanted, run)
    assert [told for told in run.told if isinstance(told, tuple)] == [(1, 3), (2, 3), (3, 3)]
    assert engine.total_steps(wanted) == 3
    record = first.pictures[0].parameters
    assert (record["sampler"], record["strength_schedule"], record["denoising_steps"]) == (
        sampler,
        strength_schedule,
        3,
    )
    assert record["scheduler"] == (SAMPLERS[sampler].scheduler or "DDIMScheduler")
    engine.run(tiny_request(sampler="dpm++2m-karras", strength_schedule="noise"), RecordedRun())
    assert engine.run(wanted, RecordedRun()).pictures[0].data == first.pictures[0].data


def test_a_sampler_that_cannot_start_anywhere_is_recorded_with_its_own_meaning(engine: DiffusersEngine) -> None:
    wanted = tiny_request(model="pndm", strength_schedule="noise")
    assert engine.run(wanted, RecordedRun()).pictures[0].parameters["strength_schedule"] == "index"


@pytest.mark.parametrize("sampler", ["own", "euler"])
@pytest.mark.parametrize(("strength", "steps"), [(0.5, 60), (0.29, 60), (1.0, 70), (0.01, 100), (0.5, 50)])
def test_as_many_steps_are_taken_as_announced_even_where_lcm_knows_fewer(
    engine: DiffusersEngine, sampler: str, strength: float, steps: int
) -> None:
    """LCM was distilled at 50 steps, and a model configured for it may be used with another sampler."""
    wanted = tiny_request(
        model="lcm", sampler=sampler, strength=strength, num_inference_steps=steps, strength_schedule="index"
    )
    run = RecordedRun()
    result = engine.run(wanted, run)
    told = [event for event in run.told if isinstance(event, tuple)]
    total = engine.total_steps(wanted)
    assert told == [(step, total) for step in range(1, total + 1)]
    record = result.pictures[0].parameters
    is_refused = sampler != "euler" and steps > 50
    assert (record["denoising_steps"], record["strength_schedule"]) == (total, "noise" if is_refused else "index")
    model = engine._models._model
    assert model is not None
    with Image.open(io.BytesIO(wanted.image)) as image:
        alone = paint_alone(model, wanted, RecordedRun(), image.convert("RGB"), 0)
    with Image.open(io.BytesIO(result.pictures[0].data)) as image:
        assert np.array_equal(pixels(alone.image), pixels(image))
