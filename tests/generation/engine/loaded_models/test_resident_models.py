"""Models in memory: which is evicted for which, and what happens when memory runs out during generation."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.hooks import CpuOffload
from torch._utils import _get_device_index

from generation.engine.base import OutOfMemory
from generation.engine.device import choose_device, free_bytes, limit_memory
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models import resident_models
from generation.engine.loaded_models.resident_models import ResidentModels
from generation.models.catalog import Catalog, ModelEntry
from generation.models.hub import Hub
from generation.models.memory_plan import BASE_BYTES, MemoryPlan, Placement
from tests.generation.engine.company import Company, painted
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.test_diffusers_engine import pixels, tiny_request
from tests.tiny_families.pipelines import save_tiny_family
from tests.tiny_pipeline import tiny_pipeline

MakeEngine = Callable[..., DiffusersEngine]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A model whose tiles are larger than the pictures here, so that tiling makes no difference."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pipeline = tiny_pipeline()
    pipeline.vae.register_to_config(sample_size=256)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return Catalog({"ddim": tiny_entry("ddim", folder)})


def part_of(engine: DiffusersEngine, path: str) -> torch.nn.Module:
    engine.preload()
    assert engine._models._model is not None
    part: Any = engine._models._model.pipeline
    for name in path.split("."):
        part = getattr(part, name)
    return part


@contextmanager
def short_of_memory(part: torch.nn.Module, *, times: int) -> Iterator[None]:
    """Make the first calls of a component run out of memory."""
    left = times

    def fail(*_: object) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = part.register_forward_pre_hook(fail)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("path", ["text_encoder", "vae.encoder.conv_in", "unet", "vae.decoder.conv_in"])
def test_who_finds_no_memory_is_painted_again_with_less(
    make_engine: MakeEngine, catalog: Catalog, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(catalog)
    run = RecordedRun()
    with caplog.at_level(logging.WARNING), short_of_memory(part_of(engine, path), times=1):
        result = engine.run(tiny_request(), run).pictures[0]
    assert result.parameters["painted_again"] is True
    expected = engine.run(tiny_request(), RecordedRun()).pictures[0]
    assert expected.parameters["painted_again"] is False
    assert pixels(result.data) == pixels(expected.data)  # the picture is a single tile
    assert "not enough memory for ddim; from now on:" in caplog.text
    assert "in tiles" in caplog.text
    steps = [told[0] for told in run.told if isinstance(told, tuple)]
    assert steps == sorted(steps)  # what is told already does not go back
    assert steps[-1] == 4


@pytest.mark.parametrize(
    ("family", "path"),
    [
        ("stable-diffusion-3", "text_encoder"),
        ("stable-diffusion-3", "transformer"),
        ("stable-diffusion-3", "vae.decoder.conv_in"),
        ("flux-2-klein", "transformer"),
        ("kandinsky-2-2", "prior_prior"),
        ("kandinsky-2-2", "unet"),
        ("kandinsky-3", "movq.decoder.conv_in"),
    ],
)
def test_so_is_who_is_painted_alone(
    make_engine: MakeEngine, tmp_path: Path, family: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = replace(tiny_entry(family, save_tiny_family(family, tmp_path / family)), family=family, multiple=16)
    engine = make_engine(Catalog({family: entry}))
    run = RecordedRun()
    wanted = tiny_request(model=family, count=2)
    with caplog.at_level(logging.WARNING), short_of_memory(part_of(engine, path), times=1):
        result = engine.run(wanted, run)
    assert [picture.parameters["painted_again"] for picture in result.pictures] == [True, True]
    expected = engine.run(wanted, RecordedRun())
    assert [pixels(picture.data) for picture in result.pictures] == [pixels(each.data) for each in expected.pictures]
    assert f"not enough memory for {family}; from now on:" in caplog.text
    told = [step for step in run.told if isinstance(step, tuple)]
    assert told == sorted(told)  # what is told already does not go back
    assert told[-1][0] == told[-1][1] == engine.total_steps(wanted)
    with short_of_memory(part_of(engine, path), times=2), pytest.raises(OutOfMemory):
        engine.run(wanted, RecordedRun())
    assert engine.run(tiny_request(model=family), RecordedRun()).pictures


def test_a_request_is_tried_again_once_and_no_more(make_engine: MakeEngine, catalog: Catalog) -> None:
    engine = make_engine(catalog)
    with short_of_memory(part_of(engine, "vae.decoder.conv_in"), times=2), pytest.raises(OutOfMemory):
        engine.run(tiny_request(), RecordedRun())
    assert engine.run(tiny_request(), RecordedRun()).pictures


def test_the_others_go_on_meanwhile(make_engine: MakeEngine, catalog: Catalog) -> None:
    engine = make_engine(catalog)
    alone = [pixels(engine.run(tiny_request(seed=seed), RecordedRun()).pictures[0].data) for seed in (3, 4)]
    company = Company(engine)
    orders = [company.order(tiny_request(seed=3)), company.order(tiny_request(seed=4), at_step=2)]
    with short_of_memory(part_of(engine, "vae.decoder.conv_in"), times=1):
        company.begin()
        images = [painted(order).image for order in orders]
    assert [order.has_begun_again for order in orders] == [True, False]
    for image, expected in zip(images, alone, strict=True):
        differences = [abs(ours - theirs) for ours, theirs in zip(image.tobytes(), expected, strict=True)]
        assert max(differences) <= 1


def test_down_the_ladder_a_model_is_loaded_anew_when_nobody_uses_it(
    make_engine: MakeEngine, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(catalog, dtype=torch.bfloat16)
    before = part_of(engine, "unet")
    for _ in range(2):  # first tiling, then eight bits
        with caplog.at_level(logging.WARNING), short_of_memory(part_of(engine, "unet"), times=1):
            assert engine.run(tiny_request(), RecordedRun()).pictures[0].parameters["painted_again"] is True
    after = part_of(engine, "unet")
    assert after is not before
    assert any(parameter.dtype is torch.float8_e4m3fn for parameter in after.parameters())
    assert "stored in 8 bits" in caplog.text
    with short_of_memory(after, times=1), pytest.raises(OutOfMemory):  # there is no lower rung on a CPU
        engine.run(tiny_request(), RecordedRun())


def test_one_component_at_a_time_is_on_the_device_whoever_comes(
    make_engine: MakeEngine, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [
        pixels(make_engine(catalog).run(tiny_request(seed=seed), RecordedRun()).pictures[0].data) for seed in (3, 4)
    ]
    engine = make_engine(catalog)
    plan = MemoryPlan(device="cpu", dtype="float32", batch_width=2, placement=Placement.MODEL_OFFLOAD)
    engine._models._lowered["ddim"] = plan
    here, beside_denoiser = set[str](), list[set[str]]()
    come, leave = CpuOffload.pre_forward, CpuOffload.init_hook

    def coming(hook: CpuOffload, module: torch.nn.Module, *arguments: Any, **keywords: Any) -> Any:
        given = come(hook, module, *arguments, **keywords)
        if hook.prev_module_hook is not None:  # accelerate moves it off; on a CPU there is nothing to move
            here.discard(type(hook.prev_module_hook.model).__name__)
        here.add(type(module).__name__)
        beside_denoiser.extend([set(here)] if "UNet2DConditionModel" in here else [])
        return given

    def leaving(hook: CpuOffload, module: torch.nn.Module) -> Any:
        here.discard(type(module).__name__)
        return leave(hook, module)

    monkeypatch.setattr(CpuOffload, "pre_forward", coming)
    monkeypatch.setattr(CpuOffload, "init_hook", leaving)
    company = Company(engine)
    orders = [company.order(tiny_request(seed=3)), company.order(tiny_request(seed=4), at_step=2)]
    company.begin()
    assert [painted(order).image.tobytes() for order in orders] == expected
    assert beside_denoiser
    assert all(found == {"UNet2DConditionModel"} for found in beside_denoiser)


def room_for_two(
    catalog: Catalog, data_dir: Path, monkeypatch: pytest.MonkeyPatch, *, max_width: int
) -> ResidentModels:
    """Return room for two of three models and a picture, some of which torch keeps cached until told to release it."""
    entry = catalog["ddim"]
    three = Catalog({name: replace(entry, name=name) for name in ("a", "b", "c")})
    models = ResidentModels(
        three, data_dir=data_dir, hub=Hub(), device=torch.device("cpu"), dtype=torch.float32, max_width=max_width
    )

    def weights() -> int:
        parts = [part for model in models._models.values() for part in model.pipeline.components.values()]
        modules = [part for part in parts if isinstance(part, torch.nn.Module)]
        return sum(tensor.nbytes for module in modules for tensor in module.parameters())

    models.get("a", lambda: None)
    each = weights()
    models._drop_all()
    widest = MemoryPlan(device="cpu", dtype="float32", batch_width=2)
    sizes = resident_models.read_sizes(entry.folder or data_dir)
    room = (widest.device_bytes(sizes, entry.defaults.max_pixels) + each * 1.2) / 0.9
    in_store = round(room)

    def free(_: torch.device) -> None:
        nonlocal in_store
        in_store = 0

    monkeypatch.setattr(resident_models, "free_memory", free)
    monkeypatch.setattr(resident_models, "free_bytes", lambda _: round(room) - weights() - in_store)
    return models


@pytest.mark.parametrize("max_width", [1, 2])
def test_who_was_asked_for_least_recently_leaves_first(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_width: int
) -> None:
    models = room_for_two(catalog, tmp_path, monkeypatch, max_width=max_width)

    def ask(name: str) -> list[str]:
        models.get(name, lambda: None)
        return [each for each in "abc" if models.is_resident(each)]

    assert ask("a") == ["a"]
    assert ask("b") == ["a", "b"]
    assert ask("a") == ["a", "b"]
    assert ask("c") == ["a", "c"]
    assert ask("b") == ["b", "c"]


def test_what_cannot_be_improved_is_said_and_no_loss(
    catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def turns(error: Exception) -> Iterator[Any]:
        yield
        raise error

    models = ResidentModels(catalog, data_dir=tmp_path, hub=Hub(), device=torch.device("cpu"), dtype=torch.float32)
    models._packing, models._moves = turns(MemoryError()), turns(PermissionError("/proc/self/smaps"))
    assert [models.pack() for _ in range(3)] == [True, False, False]
    assert [models.improve() for _ in range(3)] == [True, False, False]
    assert caplog.text.count("weights stay where they are") == 2


class Card:
    """What torch reports of an NVIDIA card of 24 GiB, of which another program holds 2 and this process 1."""

    fraction = 1.0

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("mem_get_info", "memory_reserved"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", self.limited)
        monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", self.limit)

    def mem_get_info(self, _: torch.device) -> tuple[int, int]:
        return 21 * 2**30, 24 * 2**30

    def memory_reserved(self, _: torch.device) -> int:
        return 2**30

    def limited(self, device: torch.device) -> float:
        _get_device_index(device)  # as torch does: a CUDA device without an index is an error
        return self.fraction

    def limit(self, fraction: float, device: torch.device) -> None:
        _get_device_index(device)
        self.fraction = fraction


def test_of_a_card_no_more_is_planned_with_than_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(monkeypatch)
    device = choose_device("cuda")
    assert free_bytes(device) == 21 * 2**30
    limit_memory(device, None)
    assert free_bytes(device) == 21 * 2**30
    limit_memory(device, 6 * 2**30)
    assert card.fraction * 24 * 2**30 == pytest.approx(6 * 2**30 - BASE_BYTES["cuda"])
    assert free_bytes(device) == pytest.approx(5 * 2**30 - BASE_BYTES["cuda"], abs=1)
    limit_memory(device, 30 * 2**30)
    assert card.fraction == 1


def test_a_model_that_is_here_does_not_wait_for_the_download_of_another(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, arrived = threading.Event(), threading.Event()

    def ensure_model(entry: ModelEntry, *_: object) -> None:
        if entry.name == "far":
            begun.set()
            assert arrived.wait(60)

    def never() -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(resident_models, "ensure_model", ensure_model)
    models_here = Catalog({**catalog, "far": replace(catalog["ddim"], name="far")})
    models = ResidentModels(models_here, data_dir=tmp_path, hub=Hub(), device=torch.device("cpu"), dtype=torch.float32)
    with ThreadPoolExecutor(1) as thread:
        downloading = thread.submit(models.fetch, "far", lambda: None)
        assert begun.wait(60)
        try:
            models.fetch("ddim", never)
        finally:
            arrived.set()
        downloading.result()
