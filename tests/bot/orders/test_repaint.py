"""Repainting only the transparent parts: from what was chosen to the job, and what becomes of it afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.jobs.results import request_of
from bot.model_shelf import ModelShelf
from bot.orders.options import Options, Source, changed, options_of
from bot.orders.order_book import OrderBook
from bot.orders.proposals import options_of_picture
from bot.replies import error_sentence
from bot.storage.defaults import Defaults, Layer
from bot.storage.jobs import Jobs
from generation.errors import InvalidRequest
from generation.models.catalog import load_catalog
from generation.settings import PACKAGED_MODELS_FILE
from generation.strength_ladder import LADDER, RUNGS
from tests.bot.jobs_made import make_job, make_origin
from tests.generation.samples import png

NO_PICTURE = Source()
MEMBER, SERVER = 1, 2
ASKED = Options(prompt="a beach", repaint="transparent")


async def test_it_is_written_down_and_asked_for(orders: OrderBook, jobs: Jobs) -> None:
    job = orders.order(make_origin(), ASKED, NO_PICTURE)
    await jobs.accept(job)
    stored = await jobs.get(job.job_id)
    assert stored is not None
    assert stored.repaint == "transparent"
    assert request_of(replace(stored, input_sha256="0"), png()).repaint == "transparent"
    assert orders.order(make_origin(), Options(prompt="a beach"), NO_PICTURE).repaint == "all"


async def test_a_mask_is_written_down_until_the_picture_is_taken(orders: OrderBook, jobs: Jobs) -> None:
    asked = Options(prompt="a beach", repaint="mask")
    source = Source(attachment_url="https://example.org/a", mask_url="https://example.org/b", ignored_pictures=2)
    job = orders.order(make_origin(), asked, source)
    await jobs.accept(job)
    assert await jobs.get(job.job_id) == job
    assert (job.repaint, job.mask_url, job.strength) == ("transparent", "https://example.org/b", 1.0)
    assert job.ignored_pictures == 1
    whole = orders.order(make_origin(), replace(asked, repaint=None), source)
    assert (whole.repaint, whole.mask_url, whole.ignored_pictures) == ("all", None, 2)
    assert options_of(job).repaint == "transparent"  # by then the mask is part of the stored picture
    with pytest.raises(Refused, match="no_mask"):
        orders.order(make_origin(), asked, Source(attachment_url="https://example.org/a"))


async def test_over_another_picture_the_strength_for_all_of_it_is_known_too(
    orders: OrderBook, defaults: Defaults
) -> None:
    await defaults.set(Layer.MEMBER, MEMBER, {"strength": 0.4})
    repeated = replace(ASKED, repaint="transparent if any")
    for strength, expected in ((None, (1.0, 0.4)), (1.0, (1.0, 0.4)), (0.7, (0.7, 0.7)), (LADDER, (0.3, 0.3))):
        job = orders.order(make_origin(), replace(repeated, strength=strength), NO_PICTURE)
        assert (job.repaint, job.strength, job.whole_strength) == ("transparent", *expected)
    assert orders.order(make_origin(), ASKED, NO_PICTURE).whole_strength is None


async def test_what_is_not_there_needs_no_keeping_so_the_strength_is_the_highest_allowed(
    orders: OrderBook, defaults: Defaults
) -> None:
    await defaults.set(Layer.MEMBER, MEMBER, {"strength": 0.4})  # meant for whole pictures
    assert orders.order(make_origin(), ASKED, NO_PICTURE).strength == 1.0
    assert orders.order(make_origin(), replace(ASKED, strength=0.7), NO_PICTURE).strength == 0.7
    assert orders.order(make_origin(), replace(ASKED, strength=LADDER), NO_PICTURE).strengths == RUNGS
    await defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.8})
    assert orders.order(make_origin(), ASKED, NO_PICTURE).strength == 0.8


def test_a_model_that_only_paints_whole_pictures_is_said(tmp_path: Path, defaults: Defaults) -> None:
    models_file = tmp_path / "models.toml"
    demo = PACKAGED_MODELS_FILE.read_text().partition("\n# Licence")[0]
    models_file.write_text(demo.replace('family = "stable-diffusion"', 'family = "flux"'))
    shelf = ModelShelf(load_catalog(models_file), default_model="demo", data_dir=Path("nowhere"))
    with pytest.raises(InvalidRequest) as refused:
        OrderBook(shelf, defaults, {"model": "demo"}).order(make_origin(), ASKED, NO_PICTURE)
    assert (refused.value.field, refused.value.reason) == ("repaint", "not_for_model")
    assert str(error_sentence(refused.value)).endswith(
        "can't repaint parts of a picture alone. Please choose another model, or `repaint: all`."
    )


def test_it_is_kept_by_who_changes_something_else_and_takes_its_strength_along() -> None:
    part, whole = options_of(make_job(repaint="transparent", strength=1.0)), options_of(make_job(strength=0.6))
    assert (part.repaint, whole.repaint) == ("transparent", None)
    assert changed(part, Options(prompt="a forest")) == replace(part, prompt="a forest")
    assert changed(part, Options(prompt="", repaint="all")) == replace(part, repaint="all", strength=None)
    assert changed(whole, Options(prompt="", repaint="transparent")).strength is None
    assert changed(whole, Options(prompt="", repaint="transparent", strength=0.5)).strength == 0.5
    assert changed(whole, Options(prompt="", repaint="all")).strength == 0.6
    ladder = options_of(make_job(repaint="transparent", strength=0.3, strengths=RUNGS, count=4))
    assert changed(ladder, Options(prompt="", repaint="all")).strength == LADDER


def test_over_a_result_which_has_no_transparent_parts_it_is_not_proposed() -> None:
    proposed = options_of_picture(make_job(repaint="transparent", strength=1.0))
    assert (proposed.repaint, proposed.strength) == (None, None)
