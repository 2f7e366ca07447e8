"""A ladder on random pipelines: each picture equals the one generated alone with its strength and the seed."""

import io
from collections.abc import Callable

import pytest
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.images.metadata import read_parameters
from generation.models.catalog import Catalog
from generation.requests import Picture
from generation.strength_ladder import RUNGS
from tests.generation.engine.company import watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, gradient, stock_pipeline, tiny_request
from tests.generation.engine.test_caches import counted_encodings
from tests.generation.engine.test_step_batch import apart

LADDER = {"strength": RUNGS[0], "strengths": RUNGS, "count": len(RUNGS), "num_inference_steps": 20, "seed": 5}


def image(picture: Picture) -> Image.Image:
    with Image.open(io.BytesIO(picture.data)) as opened:
        return opened.convert("RGB")


@pytest.mark.parametrize("schedule", ["index", "noise"])
@pytest.mark.parametrize("model", ["ddim", "euler-a", "pndm", "xl-euler"])
def test_without_company_it_is_the_picture_painted_alone(
    make_engine: Callable[..., DiffusersEngine], model: str, schedule: str
) -> None:
    engine = make_engine(strict=True)
    wanted = tiny_request(**LADDER, model=model, strength_schedule=schedule)
    result = engine.run(wanted, RecordedRun())
    for strength, picture in zip(RUNGS, result.pictures, strict=True):
        changes = {"num_inference_steps": 20, "seed": 5, "model": model, "strength_schedule": schedule}
        alone = engine.run(tiny_request(**changes, strength=strength), RecordedRun()).pictures[0]
        assert picture.data == alone.data  # its parameters too
        assert read_parameters(picture.data) == picture.parameters
        assert (picture.seed, picture.parameters["seed"], picture.parameters["strength"]) == (5, 5, strength)
    assert len({picture.data for picture in result.pictures}) == len(RUNGS)


def test_it_is_what_diffusers_paints(make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog) -> None:
    wanted = tiny_request(**LADDER)
    result = make_engine(strict=True).run(wanted, RecordedRun())
    stock = stock_pipeline(tiny_catalog, "ddim")
    for strength, picture in zip(RUNGS, result.pictures, strict=True):
        assert image(picture).tobytes() == called_directly(stock, wanted, strength=strength).tobytes()


def test_its_pictures_share_calls_and_differ_from_those_alone_by_rounding(engine: DiffusersEngine) -> None:
    wanted = tiny_request(**LADDER)
    alone = [engine.run(wanted.of_picture(index), RecordedRun()).pictures[0] for index in range(wanted.count)]
    rows: list[int] = []
    with watched_denoiser(engine, lambda call: rows.append(len(call["latents"]))):
        result = engine.run(wanted, RecordedRun())
    assert sum(rows) == 2 * wanted.total_steps
    assert max(rows) > 2
    for picture, expected in zip(result.pictures, alone, strict=True):
        assert apart(image(picture), image(expected)) <= 1
        assert picture.parameters == expected.parameters


def test_text_and_picture_are_encoded_once_for_all_of_it(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine()
    engine.run(tiny_request(prompt="another", image=gradient(48, 64)), RecordedRun())  # loads the model
    with counted_encodings(engine) as counts:
        engine.run(tiny_request(**LADDER, negative_prompt="rain"), RecordedRun())
        assert counts == {"text": 2, "picture": 1}  # the prompt and the negative prompt
    with counted_encodings(engine) as counts:
        engine.run(tiny_request(**LADDER | {"seed": 6}, negative_prompt="rain"), RecordedRun())  # again
        assert counts == {"text": 0, "picture": 0}


def test_a_ladder_of_a_result_encodes_nothing(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine()
    engine.run(tiny_request(seed=5), RecordedRun())
    with counted_encodings(engine) as counts:
        engine.run(tiny_request(**LADDER), RecordedRun())
        assert counts == {"text": 0, "picture": 0}


@pytest.mark.parametrize(("model", "added"), [("ddim", 0), ("pndm", 1)])
def test_the_steps_of_all_rungs_are_counted(engine: DiffusersEngine, model: str, added: int) -> None:
    run, wanted = RecordedRun(), tiny_request(**LADDER, model=model)
    engine.run(wanted, run)
    total = 6 + 9 + 12 + 15 + 4 * added
    assert [told for told in run.told if isinstance(told, tuple)] == [(step, total) for step in range(1, total + 1)]
    assert engine.total_steps(wanted) == total
