"""A ladder of strengths, from the options to the job: its rungs, its limits, and how it is repeated."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.jobs.estimates import work
from bot.jobs.results import request_of
from bot.model_shelf import ModelShelf
from bot.orders.options import Options, Source, changed, options_of
from bot.orders.order_book import OrderBook
from bot.replies import error_sentence
from bot.storage.database import Database
from bot.storage.defaults import Defaults, Layer
from bot.storage.jobs import Jobs
from generation.errors import InvalidRequest
from generation.models.catalog import load_catalog
from generation.settings import PACKAGED_MODELS_FILE
from generation.strength_ladder import LADDER, RUNGS
from tests.bot.jobs_made import make_job, make_origin
from tests.generation.samples import png

NO_PICTURE = Source()
MEMBER, SERVER, CHANNEL = 1, 2, 3
ASKED = Options(prompt="a fox", strength=LADDER, num_inference_steps=20, seed=5)


def test_it_is_one_job_of_four_pictures_with_one_seed(orders: OrderBook) -> None:
    job = orders.order(make_origin(), ASKED, NO_PICTURE)
    assert (job.strength, job.strengths, job.count, job.seed) == (0.3, RUNGS, 4, 5)
    request = request_of(replace(job, input_sha256="0"), png())
    assert [request.strength_of(index) for index in range(4)] == list(RUNGS)
    assert {request.seed_of(index) for index in range(4)} == {5}
    assert 4 * job.max_result_bytes < 25 * 2**20


async def test_how_many_pictures_a_member_usually_wants_does_not_shorten_it(
    orders: OrderBook, defaults: Defaults
) -> None:
    await defaults.set(Layer.MEMBER, MEMBER, {"count": 1, "strength": 0.9})
    assert orders.order(make_origin(), ASKED, NO_PICTURE).strengths == RUNGS


def test_who_names_a_number_gets_as_many_rungs(orders: OrderBook) -> None:
    assert orders.order(make_origin(), replace(ASKED, count=3), NO_PICTURE).strengths == (0.3, 0.53, 0.75)
    with pytest.raises(Refused, match="past_limit"):
        orders.order(make_origin(), replace(ASKED, count=5), NO_PICTURE)
    with pytest.raises(InvalidRequest) as refused:
        orders.order(make_origin(), replace(ASKED, count=1), NO_PICTURE)
    assert "at least two pictures" in str(error_sentence(refused.value))


def test_so_few_steps_are_raised_for_the_lowest_rung(orders: OrderBook) -> None:
    job = orders.order(make_origin(), replace(ASKED, num_inference_steps=2), NO_PICTURE)
    assert (job.num_inference_steps, job.strengths) == (4, RUNGS)


@pytest.mark.parametrize(
    ("limits", "strengths"),
    [
        ({"max_strength": 0.7}, (0.3, 0.45, 0.6)),
        ({"max_strength": 0.45}, (0.3, 0.45)),
        ({"max_count": 3}, (0.3, 0.53, 0.75)),
        ({"max_count": 2, "max_strength": 0.6}, (0.3, 0.6)),
    ],
)
async def test_it_keeps_to_the_limits_of_the_server(
    orders: OrderBook, defaults: Defaults, limits: dict[str, float], strengths: tuple[float, ...]
) -> None:
    await defaults.set(Layer.SERVER, SERVER, limits)
    job = orders.order(make_origin(), ASKED, NO_PICTURE)
    assert (job.strengths, job.count) == (strengths, len(strengths))


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            {"max_strength": 0.4},
            "The limit for strength here is 0.4 (set for this server), which is too low for a ladder of several"
            " strengths. Please choose one strength.",
        ),
        (
            {"max_count": 1},
            "The limit for count here is 1 (set for this server), which is too low for a ladder of several strengths."
            " Please choose one strength.",
        ),
    ],
)
async def test_limits_that_leave_fewer_than_two_rungs_are_said(
    orders: OrderBook, defaults: Defaults, limits: dict[str, float], sentence: str
) -> None:
    await defaults.set(Layer.SERVER, SERVER, limits)
    with pytest.raises(Refused) as refused:
        orders.order(make_origin(), ASKED, NO_PICTURE)
    assert error_sentence(refused.value) == sentence


def test_a_model_that_takes_no_strength_is_said(tmp_path: Path, defaults: Defaults) -> None:
    models_file = tmp_path / "models.toml"
    demo = PACKAGED_MODELS_FILE.read_text().partition("\n# Licence")[0]
    models_file.write_text(demo.replace('family = "stable-diffusion"', 'family = "flux-2-klein"'))
    shelf = ModelShelf(load_catalog(models_file), default_model="demo", data_dir=Path("nowhere"))
    with pytest.raises(InvalidRequest) as refused:
        OrderBook(shelf, defaults, {"model": "demo"}).order(make_origin(), ASKED, NO_PICTURE)
    assert "doesn't use the strength" in str(error_sentence(refused.value))


def test_it_counts_as_the_work_of_all_its_rungs(orders: OrderBook) -> None:
    job = orders.order(make_origin(), ASKED, NO_PICTURE)
    usual = [replace(job, count=1, strengths=(), strength=strength) for strength in RUNGS]
    assert work(job) == sum(map(work, usual))
    assert work(job) > 3 * work(usual[0])


async def test_again_is_a_ladder_of_as_many_rungs_within_the_limits_of_now(
    orders: OrderBook, defaults: Defaults
) -> None:
    job = orders.order(make_origin(), replace(ASKED, count=3), NO_PICTURE)
    again = orders.order(make_origin(), orders.options_again(make_origin(), job), NO_PICTURE)
    assert (again.strengths, again.num_inference_steps) == ((0.3, 0.53, 0.75), 20)
    await defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.6, "max_count": 2})
    narrower = orders.order(make_origin(), orders.options_again(make_origin(), job), NO_PICTURE)
    assert narrower.strengths == (0.3, 0.6)


async def test_a_picture_that_was_picked_has_its_own_strength_within_the_limit_of_now(
    orders: OrderBook, defaults: Defaults
) -> None:
    job = orders.order(make_origin(), ASKED, NO_PICTURE)
    assert (options_of(job, 2).strength, options_of(job, 2).count) == (0.6, None)
    await defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.5})
    picked = orders.options_again(make_origin(), job, 3)
    assert picked.strength == 0.5
    assert orders.order(make_origin(), picked, NO_PICTURE).count == 1


def test_a_number_makes_a_usual_request_of_it_and_the_other_way_round() -> None:
    ladder = options_of(make_job(strength=0.3, strengths=RUNGS, count=4))
    usual = options_of(make_job(strength=0.5, count=3))
    assert changed(ladder, Options(prompt="", strength=0.5)) == replace(ladder, strength=0.5, count=None)
    assert changed(ladder, Options(prompt="", strength=0.5, count=2)).count == 2
    assert changed(usual, Options(prompt="", strength=LADDER)) == replace(usual, strength=LADDER, count=None)
    assert changed(usual, Options(prompt="", strength=0.4)).count == 3
    assert changed(ladder, Options(prompt="", guidance_scale=3.0)) == replace(ladder, guidance_scale=3.0)


async def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    job = make_job(strength=0.3, strengths=RUNGS, count=4)
    async with Database(tmp_path) as database:
        await Jobs(database).accept(job)
    async with Database(tmp_path) as database:
        assert await Jobs(database).unsettled() == [job]
