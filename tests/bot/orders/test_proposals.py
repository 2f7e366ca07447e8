"""Remix proposes how a picture was made, as far as it is allowed there, and the proposal can be submitted unchanged."""

import asyncio
import struct
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bot.errors import Refused
from bot.jobs.attachments import AttachmentDownloads
from bot.model_shelf import ModelShelf
from bot.orders import proposals
from bot.orders.options import Options, Source
from bot.orders.order_book import OrderBook
from bot.orders.proposals import limit_to_allowed, options_in_file, options_of_picture, options_to_change
from bot.storage.database import Database
from bot.storage.defaults import Defaults, Layer
from generation.models.catalog import load_catalog
from generation.settings import PACKAGED_MODELS_FILE
from generation.strength_ladder import LADDER
from tests.bot.jobs_made import make_job, make_origin
from tests.generation.images.recipes.test_reading import FORGE
from tests.generation.images.test_metadata import PARAMETERS, encoded_as
from tests.pictures import encoded, photo

SERVER, CHANNEL = 2, 3
URL = "https://cdn.discordapp.com/a.png"
MADE = Options(
    prompt="a fox",
    negative_prompt="snow",
    strength=0.8,
    guidance_scale=9.0,
    num_inference_steps=40,
    seed=5,
    size=90,
    model="demo",
    sampler="euler-a",
)


class Place:
    """A channel with one usable model, and its moderators' limits."""

    def __init__(self, database: Database, model: str = "demo", models_file: Path = PACKAGED_MODELS_FILE) -> None:
        self.shelf = ModelShelf(load_catalog(models_file), default_model=model, data_dir=Path("nowhere"))
        self.defaults = Defaults(database)
        self.orders = OrderBook(self.shelf, self.defaults, {"model": model, "max_count": 4})

    def proposes(self, options: Options) -> Options:
        """Return the proposal, which must be a valid order."""
        proposed = limit_to_allowed(self.orders, self.shelf, make_origin(), options)
        self.orders.order(make_origin(), proposed, Source())
        return proposed


def test_what_may_be_chosen_stays(database: Database) -> None:
    assert Place(database).proposes(MADE) == MADE


async def test_numbers_go_to_the_limits_of_the_place(database: Database) -> None:
    place = Place(database)
    await place.defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.6})
    await place.defaults.set(Layer.CHANNEL, CHANNEL, {"max_num_inference_steps": 12, "max_guidance_scale": 30.0})
    proposed = place.proposes(replace(MADE, size=512))
    assert proposed == replace(MADE, strength=0.6, num_inference_steps=12, size=96)


async def test_another_model_is_left_out_with_its_own_sampler_and_adapters(database: Database) -> None:
    place = Place(database)
    other = replace(MADE, model="sd-turbo", adapter="ink", adapter_weight=0.5)
    assert place.proposes(other) == replace(MADE, model=None)
    assert place.proposes(replace(other, sampler="own")) == replace(MADE, model=None, sampler=None)
    assert place.proposes(replace(MADE, model="v1-5-pruned")) == replace(MADE, model=None)
    assert place.proposes(replace(MADE, sampler="own")) == replace(MADE, sampler="own")
    assert place.proposes(replace(MADE, adapter="oil", adapter_weight=9.0)) == MADE
    assert place.proposes(replace(MADE, adapter="a:b, ,a:1", adapter_weight=None)) == MADE


async def test_adapters_are_proposed_with_their_model_where_all_of_them_are_here(
    database: Database, tmp_path: Path
) -> None:
    text = PACKAGED_MODELS_FILE.read_text(encoding="utf-8")
    row = text[text.index("[demo]") : text.index("\n# Licence", text.index("[demo]"))]
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "ink.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    adapters = [f'[demo.adapters.{name}]\nfile = "{tmp_path.as_posix()}/{name}.safetensors"' for name in ("ink", "far")]
    (tmp_path / "models.toml").write_text("\n".join((row, *adapters)), encoding="utf-8")
    place = Place(database, models_file=tmp_path / "models.toml")
    await place.shelf.refresh()
    inked = replace(MADE, adapter="ink", adapter_weight=0.5)
    assert place.proposes(inked) == inked
    assert place.proposes(replace(inked, adapter="ink:0.5, far:0.5")) == MADE
    assert place.proposes(replace(inked, adapter_weight=99.0)) == MADE
    assert place.proposes(replace(inked, model=None)) == replace(MADE, model=None)


@pytest.mark.parametrize(
    ("model", "left_out"),
    [
        ("z-image-turbo", {"sampler": None}),
        ("flux-1-kontext-dev", {"sampler": None, "strength": None}),
        ("flux-2-klein-4b", {"sampler": None, "strength": None, "negative_prompt": None}),
    ],
)
def test_what_a_model_takes_no_notice_of_is_left_out(database: Database, model: str, left_out: dict[str, None]) -> None:
    assert Place(database, model).proposes(MADE) == replace(MADE, model=None, **left_out)


def test_where_nothing_can_be_painted_the_words_are_left(database: Database) -> None:
    place = Place(database)
    place.orders = OrderBook(place.shelf, place.defaults, {"model": "demo", "models": ["sd-turbo"]})
    assert limit_to_allowed(place.orders, place.shelf, make_origin(), MADE) == Options(prompt="a fox")


def test_a_job_is_proposed_as_one_picture_with_a_seed_of_its_own(database: Database) -> None:
    proposed = Place(database).proposes(options_of_picture(make_job(seed=9, count=3, strength_schedule="index")))
    assert (proposed.prompt, proposed.seed, proposed.count) == ("a cat on a beach", None, None)
    assert (proposed.negative_prompt, proposed.strength_schedule) == (None, None)


async def test_a_job_is_changed_with_its_model_or_with_one_that_is_offered(database: Database) -> None:
    place = Place(database)

    def changes(model: str) -> Options:
        job = make_job(model=model, sampler="own", seed=9, strength=0.3, strengths=(0.3, 0.5), count=2)
        return options_to_change(place.orders, place.shelf, make_origin(), job)

    same = changes("demo")
    assert (same.model, same.sampler, same.strength, same.count) == ("demo", "own", LADDER, 2)
    await place.defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.4, "max_guidance_scale": 5.0})
    for model in ("departed", "sd-turbo"):  # the other is in the catalog, but not on this machine
        other = changes(model)
        assert (other.model, other.sampler, other.strength, other.count) == (None, None, LADDER, 2)


def test_a_ladder_is_proposed_with_the_strength_of_its_first_picture() -> None:
    made = options_of_picture(make_job(strength=0.3, strengths=(0.3, 0.5), count=2))
    assert (made.strength, made.count) == (0.3, None)


class Downloads:
    """Serves ranges of one file and records the requests."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[int] = []

    async def fetch_part(self, url: str, first: int, max_bytes: int) -> bytes:
        assert url == URL
        self.asked.append(first)
        return self.data[first : first + max_bytes]


async def options_in(downloads: object) -> Options | None:
    return await options_in_file(cast("AttachmentDownloads", downloads), URL)


async def test_the_beginning_of_a_file_is_read_and_of_a_webp_what_is_behind_its_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    png = Downloads(encoded_as("image/png", PARAMETERS))
    made = await options_in(png)
    assert made is not None
    assert (made.prompt, made.seed, png.asked) == (PARAMETERS.prompt, None, [0])
    webp = Downloads(encoded_as("image/webp", PARAMETERS))
    monkeypatch.setattr(proposals, "PART_BYTES", 900)
    assert len(webp.data) > 900
    made = await options_in(webp)
    assert made is not None
    assert (made.prompt, made.seed, len(webp.asked)) == (PARAMETERS.prompt, None, 2)


async def test_a_file_that_says_nothing_or_does_not_come_proposes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await options_in(Downloads(encoded(photo(), "PNG"))) is None
    assert await options_in(Downloads(FORGE.encode())) is None
    assert await options_in(Downloads(b"")) is None

    class Refusing:
        async def fetch_part(self, *_: object) -> bytes:
            raise Refused("download_failed")

    class Silent:
        async def fetch_part(self, *_: object) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError("nothing wakes it")

    assert await options_in(Refusing()) is None
    monkeypatch.setattr(proposals, "READING_SECONDS", 0.01)
    assert await options_in(Silent()) is None
