"""Pictures that share calls of the denoiser are the same as those that diffusers' own pipeline generates one by one."""

import io
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from generation.engine import course
from generation.engine import order as order_module
from generation.engine.base import BrokenOutput, OutOfMemory, RunCancelled
from generation.engine.denoising import Denoising
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.input_picture import fitted_image
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.order import Order
from generation.engine.step_batch import StepBatch
from generation.models.catalog import Catalog
from generation.phases import Phase
from generation.requests import Img2ImgRequest
from tests.generation.engine.company import Company, painted, watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, gradient, stock_pipeline, tiny_request

# Steps, strength, guidance (1: one row instead of two), and the step of the first request after which it arrives.
MIXED = [(20, 0.75, 7.5, 0), (8, 0.5, 5.0, 1), (6, 0.9, 3.0, 2), (12, 0.3, 12.0, 3), (4, 1.0, 7.5, 4), (8, 0.6, 1.0, 5)]


@pytest.fixture
def denoisings(monkeypatch: pytest.MonkeyPatch) -> dict[int, Denoising]:
    """Collect what is being denoised, by seed."""
    found: dict[int, Denoising] = {}

    def make(**arguments: Any) -> Denoising:
        denoising = Denoising(**arguments)
        found[denoising.order.request.seed] = denoising
        return denoising

    monkeypatch.setattr(course, "Denoising", make)
    return found


def long_request(**changes: Any) -> Img2ImgRequest:
    """Return a request with so many steps that others are certain to overlap with it."""
    return tiny_request(**{"strength": 1.0, "num_inference_steps": 12, **changes})


def apart(one: Any, other: Any) -> int:
    """Return the maximum difference between the pixels of two pictures."""
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


def decoded(stock: Any, latents: torch.Tensor) -> Image.Image:
    with torch.no_grad():
        pixels = stock.vae.decode(latents[None] / stock.vae.config.scaling_factor).sample
    return stock.image_processor.postprocess(pixels)[0]


@pytest.mark.parametrize(
    "model",
    ["ddim", "euler", "euler-a", "dpm++2m-karras", "unipc", "pndm", "lcm", "lcm-distilled", "xl-euler", "xl-lcm"],
)
def test_in_company_each_picture_is_the_one_that_diffusers_paints_alone(
    engine: DiffusersEngine, tiny_catalog: Catalog, denoisings: dict[int, Denoising], model: str
) -> None:
    engine.run(tiny_request(model=model), RecordedRun())  # loads the model
    company, orders, calls = Company(engine), [], []
    for seed, (steps, strength, guidance_scale, at_step) in enumerate(MIXED):
        wanted = tiny_request(
            model=model,
            seed=seed,
            prompt=f"picture {seed}",
            num_inference_steps=steps,
            strength=strength,
            guidance_scale=guidance_scale,
        )
        orders.append(company.order(wanted, at_step=at_step))
    with watched_denoiser(engine, lambda call: calls.append(len(call["latents"]))):
        company.begin()
        results = [painted(order) for order in orders]
    assert len(calls) < 0.75 * sum(result.steps for result in results)
    assert max(calls) > (4 if model != "lcm-distilled" else 2)  # its pictures have one row each
    stock = stock_pipeline(tiny_catalog, model)
    for order, result in zip(orders, results, strict=True):
        expected = called_directly(stock, order.request, output_type="latent")
        latents = denoisings[order.request.seed].latents[0]
        assert torch.linalg.vector_norm(latents - expected) <= 1e-5 * torch.linalg.vector_norm(expected)
        assert apart(result.image, decoded(stock, expected)) <= 1


def test_pictures_of_one_request_share_calls(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    rows: list[int] = []
    with watched_denoiser(engine, lambda call: rows.append(len(call["latents"]))):
        engine.run(long_request(count=3), RecordedRun())
    assert sum(rows) == 3 * 12 * 2
    assert len(rows) < 30


def test_strict_pictures_have_calls_of_their_own(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog
) -> None:
    engine = make_engine(strict=True)
    engine.preload()
    company, rows = Company(engine), []
    orders = [company.order(tiny_request(seed=seed, guidance_scale=4.0 * seed)) for seed in range(4)]
    with watched_denoiser(engine, lambda call: rows.append(len(call["latents"]))):
        company.begin()
        results = [painted(order) for order in orders]
    assert set(rows) == {1, 2}
    stock = stock_pipeline(tiny_catalog, "ddim")
    for order, result in zip(orders, results, strict=True):
        assert result.image.tobytes() == called_directly(stock, order.request).tobytes()


def test_whoever_leaves_does_not_disturb_the_others(engine: DiffusersEngine) -> None:
    alone = [engine.run(tiny_request(seed=seed), RecordedRun()).pictures[0] for seed in range(3)]
    company = Company(engine)
    first, leaving, staying = (
        company.order(tiny_request(seed=seed), cancel_at_step=2 if seed == 1 else None) for seed in range(3)
    )
    company.begin()
    with pytest.raises(RunCancelled):
        painted(leaving)
    images = [painted(order).image for order in (first, staying)]
    again = engine.run(tiny_request(seed=1), RecordedRun()).pictures[0]
    assert again.data == alone[1].data
    for image, expected in zip(images, (alone[0], alone[2]), strict=True):
        assert apart(image, Image.open(io.BytesIO(expected.data))) <= 1


def test_a_request_that_breaks_the_call_is_alone_with_its_error(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    company = Company(engine)
    orders = [company.order(long_request(seed=seed, guidance_scale=1.0)) for seed in range(5)]
    poison = torch.tensor(0.0)

    def break_on_poison(call: dict[str, Any]) -> None:
        nonlocal poison
        if len(call["latents"]) == 5 and not poison.any():
            poison = call["latents"][3].clone()
        if any(torch.equal(row, poison) for row in call["latents"]):
            raise ZeroDivisionError

    with watched_denoiser(engine, break_on_poison):
        company.begin()
        with pytest.raises(ZeroDivisionError):
            painted(orders[3])
        for order in (*orders[:3], orders[4]):
            alone = engine.run(order.request, RecordedRun()).pictures[0]
            assert apart(painted(order).image, Image.open(io.BytesIO(alone.data))) <= 1


def test_nan_stays_with_whose_it_is(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    company = Company(engine)
    orders = [company.order(long_request(seed=seed)) for seed in range(3)]
    is_poisoned = False

    def poison_the_second(call: dict[str, Any]) -> Any:
        nonlocal is_poisoned
        if len(call["latents"]) != 6 or is_poisoned:
            return None
        is_poisoned = True
        call["output"][2:4] = torch.nan
        return (call["output"],)

    with watched_denoiser(engine, poison_the_second):
        company.begin()
        with pytest.raises(BrokenOutput):
            painted(orders[1])
        images = [painted(order).image for order in (orders[0], orders[2])]
    for image, order in zip(images, (orders[0], orders[2]), strict=True):
        alone = engine.run(order.request, RecordedRun()).pictures[0]
        assert apart(image, Image.open(io.BytesIO(alone.data))) <= 1


def test_without_memory_for_all_of_them_the_calls_become_narrower(
    make_engine: Callable[..., DiffusersEngine],
) -> None:
    engine = make_engine()  # of its own: it remembers that it was short of memory
    engine.run(tiny_request(), RecordedRun())
    company, rows = Company(engine), []
    orders = [company.order(long_request(seed=seed)) for seed in range(4)]

    def fail_above_four_rows(call: dict[str, Any]) -> None:
        rows.append(len(call["latents"]))
        if rows[-1] > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with watched_denoiser(engine, fail_above_four_rows):
        company.begin()
        results = [painted(order) for order in orders]
    assert len([count for count in rows if count > 4]) == 1  # not tried again
    for order, result in zip(orders, results, strict=True):
        alone = engine.run(order.request, RecordedRun()).pictures[0]
        assert apart(result.image, Image.open(io.BytesIO(alone.data))) <= 1


def test_who_has_no_memory_even_alone_is_told_and_the_next_is_served(
    make_engine: Callable[..., DiffusersEngine],
) -> None:
    engine = make_engine()  # of its own: it remembers that it was short of memory
    engine.run(tiny_request(), RecordedRun())

    def fail(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with watched_denoiser(engine, fail), pytest.raises(OutOfMemory):
        engine.run(tiny_request(), RecordedRun())
    assert engine.run(tiny_request(), RecordedRun()).pictures


def test_pictures_of_different_sizes_take_turns(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    company, widths = Company(engine), []
    small = company.order(long_request())
    wide = company.order(long_request(image=gradient(128, 64), max_pixels=128 * 64))
    with watched_denoiser(engine, lambda call: widths.append(call["latents"].shape[-1])):
        company.begin()
        painted(small)
        painted(wide)
    both = widths[widths.index(64) : -widths[::-1].index(32)]  # from the first call of one to the last of the other
    assert len(both) > 12
    assert all(one != other for one, other in itertools.pairwise(both))


def test_a_model_that_is_not_in_memory_is_not_starved_by_the_one_that_is(
    make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    models, get = engine._models, engine._models.get

    def get_with_room_for_one(name: str, alive: Callable[[], None]) -> LoadedModel:
        if not models.is_resident(name):
            models._drop_all()
        return get(name, alive)

    monkeypatch.setattr(models, "get", get_with_room_for_one)
    engine.run(tiny_request(), RecordedRun())
    company = Company(engine)
    ended: list[str] = []
    first = company.order(tiny_request(strength=1.0, num_inference_steps=24))
    other = company.order(tiny_request(model="euler"), at_step=1)
    overtaking = [company.order(tiny_request(seed=step, num_inference_steps=2), at_step=step) for step in range(2, 14)]
    for order in (other, *overtaking):
        order.pictures[0].add_done_callback(lambda _, order=order: ended.append(order.request.model))
    company.begin()
    for order in (first, other, *overtaking):
        painted(order)
    assert 1 <= ended.index("euler") <= 8


def test_while_a_pipeline_is_called_as_it_is_the_others_hear_that_they_are_cancelled(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_module, "_HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(course, "is_step_batched", lambda _: False)
    engine = make_engine()
    engine.preload()
    alone, other = RecordedRun(), RecordedRun(cancel_at_phase=Phase.LOAD)
    orders = [
        Order(wanted, fitted_image(wanted, tiny_catalog["ddim"]), run)
        for wanted, run in ((tiny_request(seed=1), alone), (tiny_request(seed=2), other))
    ]
    for order in orders:
        engine._loop.submit(order)
    with pytest.raises(RunCancelled):
        painted(orders[1])
    assert painted(orders[0]).image
    assert other.told == [Phase.LOAD]  # before its turn came


class CancelledRun(RecordedRun):
    """A run that is cancelled from some step on, as one cancelled in the worker is."""

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        super().step(step, total_steps, preview)
        if step >= 13:
            raise RunCancelled


def test_a_request_whose_pictures_all_end_in_one_step_ends_once(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    wanted = long_request(count=3)
    first, several = (
        Order(each, fitted_image(each, engine._catalog["ddim"]), run)
        for each, run in ((long_request(), RecordedRun()), (wanted, CancelledRun()))
    )
    engine._loop.submit(several)
    engine._loop.submit(first)
    for picture in several.pictures:
        with pytest.raises(RunCancelled):
            picture.result(timeout=300)
    assert painted(first).image
    assert engine.run(tiny_request(), RecordedRun()).pictures


def test_a_mistake_of_the_loop_itself_ends_what_it_serves_and_not_the_loop(
    engine: DiffusersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run(tiny_request(), RecordedRun())
    with monkeypatch.context() as broken:
        broken.setattr(StepBatch, "step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            engine.run(tiny_request(), RecordedRun())
    assert engine.run(tiny_request(), RecordedRun()).pictures
