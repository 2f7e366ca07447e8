"""The whole engine on a simulated card: code that ignores which device a tensor is on fails here already."""

import io
import itertools
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional

from generation.engine.base import OutOfMemory
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.kernels import preparing
from generation.engine.latents.autoencoder import pixels_of
from generation.engine.loaded_models.loading import LoadedModel
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry
from generation.models.memory_plan import MemoryPlan, Placement
from generation.requests import Img2ImgRequest
from tests.generation.engine.company import Company, painted
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.loaded_models.test_adapters import adapter
from tests.generation.engine.loaded_models.test_resident_models import short_of_memory
from tests.generation.engine.pretended_card import Card, OnCard, on_card, pretended_card
from tests.generation.engine.stock import tiny_request
from tests.generation.engine.test_caches import PreviewedRun
from tests.generation.engine.test_step_batch import apart
from tests.tiny_adapters import save_tiny_adapter
from tests.tiny_families.areas import small_areas
from tests.tiny_families.pipelines import save_tiny_family
from tests.tiny_pipeline import save_tiny_pipeline

MakeEngine = Callable[..., DiffusersEngine]

WEIGHED, LONG = "a (fox:1.3) on grass", " ".join(["grass"] * 30)


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Card]:
    with pretended_card(monkeypatch, getattr(request, "param", "cuda")) as card:
        yield card


def held_as(engine: DiffusersEngine, model: str, **plan: Any) -> None:
    """Make the engine hold a model according to a plan."""
    dtype = str(engine._models._dtype).removeprefix("torch.")
    engine._models._lowered[model] = MemoryPlan(device="cuda", dtype=dtype, batch_width=8, **plan)


def held_model(engine: DiffusersEngine) -> LoadedModel:
    engine.preload()
    assert engine._models._model is not None
    return engine._models._model


def lies_on_card(part: torch.nn.Module) -> bool:
    return all(isinstance(parameter, OnCard) for parameter in part.parameters())


def with_adapters(entry: ModelEntry, folder: Path) -> ModelEntry:
    files = {name: save_tiny_adapter(folder, seed=seed, model=entry.folder) for seed, name in enumerate(("ink", "oil"))}
    return replace(entry, adapters={name: adapter(name, file) for name, file in files.items()})


@torch.no_grad()
@pytest.mark.parametrize("card", ["cuda", "mps"], indirect=True)
def test_the_card_refuses_what_a_real_one_would(card: Card) -> None:
    with on_card():
        _try_to_mix(card.device)
        if card.device.type == "mps":
            with pytest.raises(TypeError, match="float64"):
                torch.zeros(1, dtype=torch.float64).to(card.device)
    assert card.held_bytes == 0 < card.peak_bytes


def _try_to_mix(device: torch.device) -> None:
    here, there = torch.ones(2, 3), torch.ones(2, 3, device=device)
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.add(here, there)
    layer = torch.nn.Linear(3, 3)
    weight = layer.weight
    with pytest.raises(RuntimeError, match="at least two devices"):
        layer(there)
    layer.to(device)
    assert layer.weight is weight
    assert isinstance(layer(there), OnCard)
    with pytest.raises(RuntimeError, match="at least two devices"):
        layer(here)
    there[:, :1] += here[:, :1].to(device)
    assert (there.device, there.cpu().tolist()) == (device, [[2, 1, 1], [2, 1, 1]])
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()


@pytest.mark.parametrize("placement", Placement)
@pytest.mark.parametrize(("model", "dtype"), [("ddim", torch.float32), ("xl-euler", torch.float16)])
def test_pictures_of_all_kinds_are_painted_side_by_side(
    make_engine: MakeEngine, tiny_catalog: Catalog, tmp_path: Path, model: str, dtype: torch.dtype, placement: Placement
) -> None:
    catalog = Catalog({model: with_adapters(tiny_catalog[model], tmp_path)})
    told: list[dict[str, Any]] = [
        {},
        {"guidance_scale": 1.0},
        {"prompt": WEIGHED, "negative_prompt": LONG, "adapter": "ink", "adapter_weight": 0.5},
        {"prompt": LONG, "count": 2, "adapter": "oil", "adapter_weight": 1.0},
    ]
    wanted = [tiny_request(model=model, num_inference_steps=6, seed=seed, **each) for seed, each in enumerate(told)]
    engine = make_engine(catalog, dtype=dtype, device="cuda")
    held_as(engine, model, placement=placement)
    company = Company(engine)
    orders = [company.order(each, at_step=step) for step, each in enumerate(wanted)]
    company.order(tiny_request(model=model, num_inference_steps=6, seed=5), at_step=2, cancel_at_step=2)
    company.begin()
    images = [painted(order, index).image for order in orders for index in range(order.request.count)]
    if dtype == torch.float32:  # for which the CPU has no kernels of ours
        here = make_engine(catalog)
        pictures = [picture for each in wanted for picture in here.run(each, RecordedRun()).pictures]
        for image, picture in zip(images, pictures, strict=True):
            assert apart(image, Image.open(io.BytesIO(picture.data))) <= 1


@pytest.mark.parametrize("placement", Placement)
def test_calls_are_captured_where_the_weights_stay(
    make_engine: MakeEngine, tiny_catalog: Catalog, placement: Placement
) -> None:
    engine = make_engine(Catalog({"ddim": tiny_catalog["ddim"]}), device="cuda")
    held_as(engine, "ddim", placement=placement)
    engine.run(tiny_request(), RecordedRun())
    if placement is Placement.RESIDENT:
        assert captured_calls(engine) == 1
    else:
        assert held_model(engine).fast_denoiser is held_model(engine).graphs is None


@torch.no_grad()
def test_a_picture_is_the_same_numbers_on_a_card(card: Card) -> None:
    image = Image.effect_noise((64, 48), 90).convert("RGB")
    expected = pixels_of(image, torch.device("cpu"))
    with on_card():
        seen = pixels_of(image, card.device)
        assert not torch.equal((pixels_of(image, card.device) * 3 / 7).cpu(), expected * 3 / 7)
    assert isinstance(seen, OnCard)
    assert torch.equal(seen.held, expected)


def test_a_card_takes_the_next_step_while_a_preview_is_made(
    make_engine: MakeEngine, tiny_catalog: Catalog, tmp_path: Path
) -> None:
    save_file(AutoencoderTiny().state_dict(), tmp_path / "taesd.safetensors")
    tiny = AddOnFile(model="ddim", add_on="tiny autoencoder", path=tmp_path / "taesd.safetensors")
    sharp = replace(tiny_catalog["ddim"], tiny_autoencoder=tiny)
    for entry in (tiny_catalog["ddim"], sharp):
        for device, first in (("cuda", 2), ("cpu", 1)):
            run = PreviewedRun()
            make_engine(Catalog({"ddim": entry}), device=device).run(tiny_request(), run)
            assert run.shown_at[0] == first


def test_calls_are_captured_for_each_weight_of_an_adapter_and_for_none(
    make_engine: MakeEngine, tiny_catalog: Catalog, tmp_path: Path
) -> None:
    catalog = Catalog({"ddim": with_adapters(tiny_catalog["ddim"], tmp_path)})
    wanted = [tiny_request(), *(tiny_request(adapter="ink", adapter_weight=weight) for weight in (0.5, 1.0))]
    engine, here = make_engine(catalog, device="cuda"), make_engine(catalog)
    expected = [picture_of(here, each) for each in wanted]
    assert all(apart(one, other) > 1 for one, other in itertools.combinations(expected, 2))
    for seen in range(2):
        for number, each in enumerate(wanted, start=1):
            before = replays_of(engine)
            assert apart(picture_of(engine, each), expected[number - 1]) <= 1
            assert captured_calls(engine) == (3 if seen else number)
            assert replays_of(engine) > before


def picture_of(engine: DiffusersEngine, wanted: Img2ImgRequest) -> Image.Image:
    return Image.open(io.BytesIO(engine.run(wanted, RecordedRun()).pictures[0].data))


def captured_calls(engine: DiffusersEngine) -> int:
    """Return how many calls of the denoiser were captured."""
    graphs = held_model(engine).graphs
    assert graphs is not None
    return sum("text_encoder" not in shape for shape in graphs._graphs if isinstance(shape, tuple))


def replays_of(engine: DiffusersEngine) -> int:
    graphs = held_model(engine).graphs
    assert graphs is not None
    return sum(graph._graph.replays for graph in graphs._graphs.values())  # pyright: ignore


@pytest.mark.parametrize("model", ["ddim", "pndm", "euler", "dpm++2m-karras"])
def test_no_step_waits_for_the_card(
    make_engine: MakeEngine, tiny_catalog: Catalog, card: Card, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setattr("generation.engine.order._PREVIEW_SECONDS", math.inf)  # only that of the first step
    engine = make_engine(Catalog({model: tiny_catalog[model]}), device="cuda")
    waits = list[int]()
    for steps in (4, 4, 12):  # the first one encodes texts and captures calls
        before = card.waits
        engine.run(tiny_request(model=model, num_inference_steps=steps), RecordedRun())
        waits.append(card.waits - before)
    assert waits[0] > waits[1] == waits[2] > 0


@pytest.mark.parametrize("placement", Placement)
@pytest.mark.parametrize("stores_float8", [False, True])
def test_normalizations_find_their_weights_however_they_are_held(
    make_engine: MakeEngine,
    tiny_catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    placement: Placement,
    stores_float8: bool,
) -> None:
    pytest.importorskip("triton", reason="Triton is for Linux")
    activates = list[bool]()

    def of_the_card(pixels: Any, groups: int, *weights: Any, **told: bool) -> torch.Tensor:
        assert all(isinstance(tensor, OnCard) for tensor in (pixels, *weights[:2]))
        activates.append(told["activates"])
        normalized = functional.group_norm(pixels, groups, *weights)
        return functional.silu(normalized) if told["activates"] else normalized

    monkeypatch.setattr("generation.engine.kernels.group_norm.group_norm", of_the_card)
    monkeypatch.setattr(preparing, "channels_last_norm_pays", lambda *_: True)
    engine = make_engine(Catalog({"ddim": tiny_catalog["ddim"]}), dtype=torch.bfloat16, device="cuda")
    held_as(engine, "ddim", placement=placement, stores_float8=stores_float8)
    for _ in range(2):  # from the second time on, group offloading prefetches
        assert engine.run(tiny_request(), RecordedRun()).pictures
    assert set(activates) == {False, True}


@pytest.mark.parametrize("card", ["mps"], indirect=True)
@pytest.mark.parametrize("model", ["ddim", "pndm", "euler", "euler-a", "dpm++2m-karras", "unipc", "lcm", "xl-euler"])
def test_an_apple_is_asked_for_nothing_that_it_has_not(
    make_engine: MakeEngine, tiny_catalog: Catalog, model: str
) -> None:
    engine = make_engine(Catalog({model: tiny_catalog[model]}), dtype=torch.float16, device="mps")
    assert engine.run(tiny_request(model=model, num_inference_steps=6, prompt=WEIGHED), RecordedRun()).pictures


@pytest.mark.parametrize("family", ["flux-2-klein", "kandinsky-2-2", "kandinsky-3", "qwen-image-edit-plus"])
def test_families_that_are_painted_alone_are_too(make_engine: MakeEngine, tmp_path: Path, family: str) -> None:
    entry = replace(tiny_entry(family, save_tiny_family(family, tmp_path / family)), family=family, multiple=16)
    engine = make_engine(Catalog({family: entry}), dtype=torch.bfloat16, device="cuda")
    held_as(engine, family, placement=Placement.GROUP_OFFLOAD, stores_float8=True, tiles_pictures=True)
    with small_areas():
        assert engine.run(tiny_request(model=family, num_inference_steps=2), RecordedRun()).pictures
    parts = held_model(engine).pipeline.components
    resident = {name for name, part in parts.items() if isinstance(part, torch.nn.Module) and lies_on_card(part)}
    assert resident == {"vae", "movq"} & parts.keys()


def test_down_the_whole_ladder_pictures_are_painted(
    make_engine: MakeEngine, tiny_catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(Catalog({"ddim": tiny_catalog["ddim"]}), dtype=torch.float16, device="cuda")
    rungs = list[tuple[Placement, bool]]()
    for _ in range(4):
        model = held_model(engine)
        times = 1 if model.graphs is None else 2  # the first time, only the memory of captured calls is freed
        with caplog.at_level(logging.ERROR), short_of_memory(model.pipeline.unet, times=times):
            picture = engine.run(tiny_request(num_inference_steps=2), RecordedRun()).pictures[0]
            assert picture.parameters["painted_again"] is True
        plan = held_model(engine).plan
        rungs.append((plan.placement, plan.stores_float8))
    assert rungs == [
        (Placement.RESIDENT, False),
        (Placement.MODEL_OFFLOAD, False),
        (Placement.MODEL_OFFLOAD, True),
        (Placement.GROUP_OFFLOAD, True),
    ]


def test_a_model_that_finds_less_memory_than_was_said_is_held_in_less(
    make_engine: MakeEngine, tiny_catalog: Catalog, card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    two = Catalog({name: tiny_catalog[name] for name in ("ddim", "euler")})
    engine = make_engine(two, dtype=torch.float16, device="cuda", max_width=2)
    engine.preload()
    weights = card.held_bytes
    card.total_bytes = round(1.5 * weights)  # another program has taken the rest since the card was asked
    engine._loop.load("euler").result()
    assert "not enough memory to load euler; from now on: everything stays on the device" in caplog.text
    assert not engine._models.is_resident("ddim")
    card.total_bytes = round(0.9 * weights)
    engine._loop.load("ddim").result()
    assert "not enough memory to load ddim; from now on: one component at a time is on the" in caplog.text
    assert card.held_bytes < weights / 2
    card.total_bytes = 8 * weights
    assert engine.run(tiny_request(num_inference_steps=2), RecordedRun()).pictures


def test_a_model_for_which_nothing_is_left_is_refused_and_can_be_asked_for_again(
    make_engine: MakeEngine, tiny_catalog: Catalog, card: Card
) -> None:
    engine = make_engine(Catalog({"ddim": tiny_catalog["ddim"]}), device="cuda")  # float32, so no eight bits
    held_as(engine, "ddim", placement=Placement.GROUP_OFFLOAD)
    total, card.total_bytes = card.total_bytes, 1
    with pytest.raises(OutOfMemory):
        engine.run(tiny_request(num_inference_steps=2), RecordedRun())
    card.total_bytes = total
    assert engine.run(tiny_request(num_inference_steps=2), RecordedRun()).pictures


@pytest.mark.parametrize(
    "plan",
    [
        {"placement": Placement.GROUP_OFFLOAD},
        {"placement": Placement.GROUP_OFFLOAD, "stores_float8": True},
        {"placement": Placement.RESIDENT, "stores_float8": True},
    ],
)
def test_a_picture_that_breaks_while_weights_come_and_go_is_painted_in_float32_too(
    make_engine: MakeEngine, tmp_path: Path, card: Card, caplog: pytest.LogCaptureFixture, plan: dict[str, Any]
) -> None:
    folder = save_tiny_pipeline(tmp_path / "ddim")
    weights = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    weights["decoder.conv_in.weight"].fill_(30_000.0)  # the sum exceeds float16
    save_file(weights, folder / "vae" / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    catalog = Catalog({"ddim": tiny_entry("ddim", folder)})
    expected = picture_of(make_engine(catalog), tiny_request())
    engine = make_engine(catalog, dtype=torch.float16, device="cuda")
    held_as(engine, "ddim", **plan)
    model, held = held_model(engine), list[int]()
    for _ in range(2):
        (picture,) = engine.run(tiny_request(), RecordedRun()).pictures
        assert picture.parameters["dtype"] == "float32"
        assert apart(Image.open(io.BytesIO(picture.data)), expected) <= 1
        assert held_model(engine) is model
        held.append(card.held_bytes)
    assert held[0] == held[1]  # the second model is gone
    assert caplog.text.count("it is painted again in float32") == 2
