"""A member's options become a job in which everything is decided."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import Refused
from bot.model_shelf import ModelShelf
from bot.orders.options import Options, Source, changed, options_of
from bot.orders.order_book import OrderBook
from bot.orders.tables import settings_table
from bot.replies import refusal_sentence
from bot.storage.database import Database
from bot.storage.defaults import Defaults, Layer
from generation.errors import InvalidRequest, ModelUnavailable
from generation.models.catalog import load_catalog
from generation.requests import MAX_SEED, denoising_steps
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE
from tests.bot.jobs_made import make_origin

MEBIBYTE = 1024 * 1024
NO_PICTURE = Source()
MEMBER, SERVER, CHANNEL = 1, 2, 3


def book(defaults: Defaults) -> OrderBook:
    shelf = ModelShelf(load_catalog(PACKAGED_MODELS_FILE), default_model="demo", data_dir=Path("nowhere"))
    return OrderBook(shelf, defaults, {"model": "demo", "max_count": 4})


@pytest.fixture
def orders(tmp_path: Path) -> OrderBook:
    return book(Defaults(Database(tmp_path)))


def test_what_was_not_chosen_comes_from_the_model(orders: OrderBook) -> None:
    job = orders.order(make_origin(), Options(prompt="  a fox "), NO_PICTURE)
    defaults = load_catalog(PACKAGED_MODELS_FILE)["demo"].defaults
    assert job.prompt == "a fox"
    assert (job.model, job.count, job.negative_prompt) == ("demo", 1, "")
    assert (job.strength, job.guidance_scale) == (defaults.strength, defaults.guidance_scale)
    assert (job.num_inference_steps, job.max_pixels) == (defaults.num_inference_steps, defaults.size**2)
    assert 0 <= job.seed <= MAX_SEED


def test_a_model_that_there_is_not_is_answered_with_those_that_can_be_used(orders: OrderBook) -> None:
    with pytest.raises(ModelUnavailable) as refused:
        orders.order(make_origin(), Options(prompt="a fox", model="foo"), NO_PICTURE)
    assert error_sentence(refused.value) == "There is no model called foo here. Please choose demo."


def test_what_was_chosen_stays(orders: OrderBook) -> None:
    chosen = Options(
        prompt="a fox",
        negative_prompt="snow",
        strength=0.35,
        guidance_scale=0.0,
        num_inference_steps=9,
        seed=0,
        count=3,
        size=96,
        model="demo",
    )
    job = orders.order(make_origin(), chosen, Source(spoiler=True))
    assert (job.strength, job.guidance_scale, job.num_inference_steps) == (0.35, 0.0, 9)
    assert (job.seed, job.count, job.max_pixels, job.spoiler) == (0, 3, 96 * 96, True)


def test_the_sampler_and_the_meaning_of_strength_are_decided(orders: OrderBook) -> None:
    job = orders.order(make_origin(), Options(prompt="a fox"), NO_PICTURE)
    assert (job.sampler, job.strength_schedule) == (
        load_catalog(PACKAGED_MODELS_FILE)["demo"].defaults.sampler,
        "noise",
    )
    job = orders.order(make_origin(), Options(prompt="a fox", sampler="euler-a", strength_schedule="index"), NO_PICTURE)
    assert (job.sampler, job.strength_schedule) == ("euler-a", "index")
    again = orders.order(make_origin(), options_of(job), NO_PICTURE)
    assert (again.sampler, again.strength_schedule) == ("euler-a", "index")


async def test_the_operator_says_what_strength_means(tmp_path: Path) -> None:
    shelf = ModelShelf(load_catalog(PACKAGED_MODELS_FILE), default_model="demo", data_dir=Path("nowhere"))
    orders = OrderBook(shelf, Defaults(Database(tmp_path)), {"model": "demo", "strength_schedule": "index"})
    assert orders.order(make_origin(), Options(prompt="a fox"), NO_PICTURE).strength_schedule == "index"


def test_another_model_brings_its_own_sampler() -> None:
    earlier = Options(prompt="a fox", model="demo", sampler="euler", size=96)
    assert changed(earlier, Options(prompt="", strength=0.3)) == replace(earlier, strength=0.3)
    assert changed(earlier, Options(prompt="a cat", model="demo")).sampler == "euler"
    assert changed(earlier, Options(prompt="a cat", model="sd-turbo")).sampler is None
    assert changed(earlier, Options(prompt="a cat", model="sd-turbo", sampler="ddim")).sampler == "ddim"


def test_of_an_emoji_of_a_server_its_name_is_painted(orders: OrderBook) -> None:
    options = Options(prompt=" a <:party_cat:123456789012345678> on a beach ")
    assert orders.order(make_origin(), options, NO_PICTURE).prompt == "a party cat on a beach"


def test_two_orders_draw_two_seeds(orders: OrderBook) -> None:
    seeds = {orders.order(make_origin(), Options(prompt="a fox"), NO_PICTURE).seed for _ in range(5)}
    assert len(seeds) == 5


@pytest.mark.parametrize(("strength", "steps"), [(0.01, 1), (0.03, 20), (0.3, 2), (0.99, 1)])
def test_there_is_always_a_step_to_run(orders: OrderBook, strength: float, steps: int) -> None:
    options = Options(prompt="a fox", strength=strength, num_inference_steps=steps)
    job = orders.order(make_origin(), options, NO_PICTURE)
    assert job.strength == strength
    assert denoising_steps(job.strength, job.num_inference_steps) >= 1


def test_the_upload_limit_is_the_servers_shared_between_the_pictures(orders: OrderBook) -> None:
    def limit(file_limit_bytes: int, count: int) -> int:
        return orders.order(
            make_origin(file_limit_bytes=file_limit_bytes), Options(prompt="x", count=count), NO_PICTURE
        ).max_result_bytes

    assert limit(10 * MEBIBYTE, 1) == 10 * MEBIBYTE
    assert 24 * MEBIBYTE < limit(100 * MEBIBYTE, 1) < 25 * MEBIBYTE
    assert 4 * limit(50 * MEBIBYTE, 4) < 25 * MEBIBYTE


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (Options(prompt="   "), InvalidRequest),
        (Options(prompt="x" * 1501), InvalidRequest),
        (Options(prompt="x", negative_prompt="y" * 1001), InvalidRequest),
        (Options(prompt="x", model="../../etc"), ModelUnavailable),
        (Options(prompt="x", count=5), Refused),
        (Options(prompt="x", size=2048), Refused),
        (Options(prompt="x", sampler="magic"), InvalidRequest),
    ],
)
def test_what_cannot_be_is_refused(orders: OrderBook, options: Options, error: type[Exception]) -> None:
    with pytest.raises(error):
        orders.order(make_origin(), options, NO_PICTURE)


async def test_members_channels_servers_and_the_operator_decide_in_this_order(database: Database) -> None:
    defaults = Defaults(database)
    orders = book(defaults)
    await defaults.set(Layer.SERVER, SERVER, {"strength": 0.3, "guidance_scale": 2.0, "num_inference_steps": 11})
    await defaults.set(Layer.CHANNEL, CHANNEL, {"strength": 0.4, "guidance_scale": 3.0})
    await defaults.set(Layer.MEMBER, MEMBER, {"strength": 0.5})
    job = orders.order(make_origin(), Options(prompt="x"), NO_PICTURE)
    assert (job.strength, job.guidance_scale, job.num_inference_steps, job.count) == (0.5, 3.0, 11, 1)
    elsewhere = orders.order(make_origin(settings_channel_id=9, requester_id=8), Options(prompt="x"), NO_PICTURE)
    assert (elsewhere.strength, elsewhere.guidance_scale) == (0.3, 2.0)


async def test_the_narrower_limit_wins_and_defaults_bow_to_it(database: Database) -> None:
    defaults = Defaults(database)
    orders = book(defaults)
    await defaults.set(Layer.SERVER, SERVER, {"max_strength": 0.6, "max_count": 2})
    await defaults.set(Layer.CHANNEL, CHANNEL, {"max_strength": 0.9, "max_count": 9})
    await defaults.set(Layer.MEMBER, MEMBER, {"strength": 0.8})
    assert orders.order(make_origin(), Options(prompt="x"), NO_PICTURE).strength == 0.6
    assert orders.order(make_origin(), Options(prompt="x", strength=0.6), NO_PICTURE).strength == 0.6
    with pytest.raises(Refused) as refusal:
        orders.order(make_origin(), Options(prompt="x", strength=0.7), NO_PICTURE)
    assert refusal.value.data == {"name": "strength", "limit": 0.6, "layer": Layer.SERVER}
    with pytest.raises(Refused):
        orders.order(make_origin(), Options(prompt="x", count=3), NO_PICTURE)


async def test_a_forbidden_model_is_refused_by_name(database: Database) -> None:
    defaults = Defaults(database)
    orders = book(defaults)
    await defaults.set(Layer.CHANNEL, CHANNEL, {"models": ["sd-turbo"]})
    with pytest.raises(Refused) as refusal:
        orders.order(make_origin(), Options(prompt="x", model="demo"), NO_PICTURE)
    said = refusal_sentence(refusal.value.reason, refusal.value.data)
    assert said == "The model demo isn't allowed here (set for this channel). Please choose another one."


async def test_where_nothing_that_is_allowed_is_here_the_reason_names_a_model(database: Database) -> None:
    defaults = Defaults(database)
    orders = book(defaults)
    await defaults.set(Layer.CHANNEL, CHANNEL, {"models": ["sd-turbo"]})
    with pytest.raises(ModelUnavailable) as unavailable:
        orders.model_for(make_origin())
    assert (unavailable.value.model, unavailable.value.reason) == ("sd-turbo", "not_downloaded")
    await defaults.set(Layer.CHANNEL, CHANNEL, {"models": ["demo"]})
    await defaults.set(Layer.SERVER, SERVER, {"models": ["sd-turbo"]})
    with pytest.raises(Refused) as refusal:
        orders.model_for(make_origin())
    said = refusal_sentence(refusal.value.reason, refusal.value.data)
    assert said == "The model demo isn't allowed here (set for this server). Please choose another one."


async def test_what_was_set_survives_and_can_be_taken_back(tmp_path: Path) -> None:
    async with Database(tmp_path) as database:
        await Defaults(database).set(Layer.SERVER, SERVER, {"strength": 0.3, "models": ["demo"], "count": 2})
    async with Database(tmp_path) as database:
        defaults = Defaults(database)
        await defaults.load()
        assert defaults.of(Layer.SERVER, SERVER) == {"strength": 0.3, "models": ["demo"], "count": 2}
        await defaults.reset(Layer.SERVER, SERVER, "strength")
        await defaults.load()
        assert defaults.of(Layer.SERVER, SERVER) == {"models": ["demo"], "count": 2}
        await defaults.reset(Layer.SERVER, SERVER)
        await defaults.load()
        assert defaults.of(Layer.SERVER, SERVER) == {}


@pytest.fixture
async def adapted(tmp_path: Path) -> OrderBook:
    """Two models, the demo and another; the demo has adapters that are here, missing, broken or on the hub."""
    (tmp_path / "ink.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")  # without tensors
    (tmp_path / "torn.safetensors").write_text("<!DOCTYPE html>")
    rows = {"ink": f'file = "{tmp_path / "ink.safetensors"}"\nweight = 0.8\nmax_weight = 1.2', "clay": 'hub = "a/clay"'}
    rows["a.b"] = f'file = "{tmp_path / "ink.safetensors"}"'
    rows["gone"] = f'file = "{tmp_path / "gone.safetensors"}"'
    rows["torn"] = f'file = "{tmp_path / "torn.safetensors"}"'
    words = (
        f'[demo.embeddings.toy]\nfile = "{tmp_path / "ink.safetensors"}"\n[demo.embeddings.smoke]\nhub = "a/smoke"\n'
    )
    text = PACKAGED_MODELS_FILE.read_text()
    demo, rest = text[: (split := text.index("\n# Licence"))], text[split:]
    tables = "".join(f"\n[demo.adapters.'{name}']\n{row}\n" for name, row in rows.items())
    models_file = tmp_path / "models.toml"
    models_file.write_text(f"{demo}{tables}{words}{rest}")
    shelf = ModelShelf(load_catalog(models_file), default_model="demo", data_dir=tmp_path)
    await shelf.refresh()
    assert [adapter.name for adapter in shelf.adapters(shelf.find("demo"))] == ["ink", "a.b"]
    assert [embedding.word for embedding in shelf.embeddings(shelf.find("demo"))] == ["toy"]
    return OrderBook(shelf, Defaults(Database(tmp_path)), {"model": "demo"})


def test_an_adapter_comes_with_its_weight_and_stays_with_it(adapted: OrderBook) -> None:
    job = adapted.order(make_origin(), Options(prompt="a fox", adapter="ink"), NO_PICTURE)
    assert (job.adapter, job.adapter_weight) == ("ink", 0.8)
    job = adapted.order(make_origin(), Options(prompt="a fox", adapter="ink", adapter_weight=0.3), NO_PICTURE)
    assert (job.adapter, job.adapter_weight) == ("ink", 0.3)
    again = adapted.order(make_origin(), options_of(job), NO_PICTURE)
    assert (again.adapter, again.adapter_weight) == ("ink", 0.3)
    assert adapted.order(make_origin(), Options(prompt="a fox"), NO_PICTURE).adapter == ""


def test_several_adapters_are_one_choice(adapted: OrderBook) -> None:
    def ordered(options: Options) -> tuple[str, float]:
        job = adapted.order(make_origin(), options, NO_PICTURE)
        again = adapted.order(make_origin(), options_of(job), NO_PICTURE)
        assert (again.adapter, again.adapter_weight) == (job.adapter, job.adapter_weight)
        return job.adapter, job.adapter_weight

    assert ordered(Options(prompt="a fox", adapter="ink, a.b:0.5")) == ("a.b:0.5, ink:0.8", 0.0)
    assert ordered(Options(prompt="a fox", adapter="a.b:0.5,ink")) == ("a.b:0.5, ink:0.8", 0.0)
    both = Options(prompt="a fox", adapter="a.b:0.5, ink", adapter_weight=0.3)
    assert ordered(both) == ("a.b:0.5, ink:0.3", 0.0)
    assert ordered(changed(both, Options(prompt="", adapter_weight=0.9))) == ("a.b:0.9, ink:0.9", 0.0)
    assert ordered(changed(both, Options(prompt="", adapter="ink"))) == ("ink", 0.8)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"adapter": "ink", "adapter_weight": 1.3}, "The adapter's weight must be from 0 to 1.2."),
        ({"adapter": "oil"}, "The adapter must be one of ink, clay, a.b, gone, torn."),
        (
            {"adapter": "clay"},
            "The adapter clay of demo hasn't been downloaded yet. The operator can do that with "
            "`python -m generation download demo`.",
        ),
        ({"adapter": "a.b, ink:1.3"}, "The adapter's weight must be from 0 to 1.2."),
        (
            {"adapter": "torn"},
            "The file torn.safetensors of the adapter torn of demo is incomplete or isn't a safetensors file, "
            "whatever its name. Please download it again.",
        ),
        ({"adapter": "ink, ink"}, "An adapter can't be named twice."),
        ({"adapter": "gone"}, "The file gone.safetensors of the adapter gone of demo isn't here."),
    ],
)
def test_an_adapter_that_cannot_be_used_is_said_at_the_door(
    adapted: OrderBook, chosen: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((InvalidRequest, ModelUnavailable)) as refused:
        adapted.order(make_origin(), Options(prompt="a fox", **chosen), NO_PICTURE)
    assert error_sentence(refused.value) == sentence


@pytest.mark.parametrize("words", [{"prompt": "a (Smoke:1.2) fox"}, {"prompt": "a fox", "negative_prompt": "smoke"}])
def test_a_word_that_is_not_here_is_said_at_the_door(adapted: OrderBook, words: dict[str, Any]) -> None:
    with pytest.raises(ModelUnavailable, match="add_on_not_here") as refused:
        adapted.order(make_origin(), Options(**words), NO_PICTURE)
    assert "The embedding smoke of demo hasn't been downloaded yet" in error_sentence(refused.value)
    for prompt in ("a toy fox", "a smoked fish"):
        assert adapted.order(make_origin(), Options(prompt=prompt), NO_PICTURE).prompt == prompt


def test_another_model_brings_no_adapter() -> None:
    earlier = Options(prompt="a fox", model="demo", adapter="ink", adapter_weight=0.3)
    assert changed(earlier, Options(prompt="a cat", strength=0.3)).adapter == "ink"
    assert changed(earlier, Options(prompt="a cat", adapter_weight=0.9)).adapter_weight == 0.9
    other = changed(earlier, Options(prompt="a cat", adapter="clay"))
    assert (other.adapter, other.adapter_weight) == ("clay", None)
    gone = changed(earlier, Options(prompt="a cat", model="sd-turbo"))
    assert (gone.adapter, gone.adapter_weight) == (None, None)


def test_what_a_model_has_no_use_for(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    demo = PACKAGED_MODELS_FILE.read_text().partition("\n# Licence")[0]
    models_file.write_text(demo.replace('family = "stable-diffusion"', 'family = "flux-2-klein"'))
    shelf = ModelShelf(load_catalog(models_file), default_model="demo", data_dir=Path("nowhere"))
    defaults = Defaults(Database(tmp_path))
    defaults._values[Layer.MEMBER, MEMBER] = {"negative_prompt": "blurry", "sampler": "euler", "size": 2048}
    orders = OrderBook(shelf, defaults, {"model": "demo"})
    job = orders.order(make_origin(), Options(prompt="a fox", strength=0.3, num_inference_steps=4), NO_PICTURE)
    assert (job.strength, job.num_inference_steps, job.negative_prompt) == (1.0, 4, "")
    assert (job.sampler, job.max_pixels) == ("own", shelf.find("demo").max_size ** 2)
    with pytest.raises(InvalidRequest, match="negative_prompt"):
        orders.order(make_origin(), Options(prompt="a fox", negative_prompt="rain"), NO_PICTURE)


def test_a_size_that_is_larger_than_the_model_paints_is_shown_as_what_holds(tmp_path: Path) -> None:
    defaults = Defaults(Database(tmp_path))
    defaults._values[Layer.MEMBER, MEMBER] = {"size": 2048}
    orders = book(defaults)
    shown = settings_table(orders.with_model(orders.layers(make_origin()), "demo"))
    job = orders.order(make_origin(), Options(prompt="a fox"), NO_PICTURE)
    assert f"size: **{job.max_pixels**0.5:g}** instead of 2048 (from you), at most" in shown


@pytest.mark.parametrize(("chosen", "used"), [(None, "blurry"), ("rain", "rain"), ("", "")])
def test_a_members_negative_prompt_is_used_where_none_was_chosen(tmp_path: Path, chosen: str | None, used: str) -> None:
    defaults = Defaults(Database(tmp_path))
    defaults._values[Layer.MEMBER, MEMBER] = {"negative_prompt": "blurry"}
    job = book(defaults).order(make_origin(), Options(prompt="a fox", negative_prompt=chosen), NO_PICTURE)
    assert job.negative_prompt == used
    # Whatever the member's preference is by then.
    assert book(defaults).options_again(make_origin(), job).negative_prompt == used


def test_a_members_size_and_sampler_are_used_where_none_was_chosen(tmp_path: Path) -> None:
    defaults = Defaults(Database(tmp_path))
    defaults._values[Layer.MEMBER, MEMBER] = {"size": 64, "sampler": "euler"}
    job = book(defaults).order(make_origin(), Options(prompt="a fox"), NO_PICTURE)
    assert (job.sampler, job.max_pixels) == ("euler", 64**2)
    job = book(defaults).order(make_origin(), Options(prompt="a fox", size=96, sampler="ddim"), NO_PICTURE)
    assert (job.sampler, job.max_pixels) == ("ddim", 96**2)
