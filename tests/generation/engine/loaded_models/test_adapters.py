"""LoRA files on a random pipeline: the same picture as diffusers', nothing left behind, no call shared by mistake."""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders.lora_pipeline import StableDiffusionLoraLoaderMixin
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models import adapters
from generation.errors import ModelUnavailable
from generation.models.adapters import Adapter
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry
from generation.requests import Picture
from tests.generation.engine.company import Company, painted, watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, stock_pipeline, tiny_request
from tests.tiny_adapters import save_as_others_do, save_tiny_adapter


def adapter(name: str, file: Path) -> Adapter:
    offered = AddOnFile(model="ddim", add_on=f"adapter {name}", path=file)
    return Adapter(name=name, title=name, file=offered, weight=1.0, min_weight=0.0, max_weight=1.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def catalog(tiny_catalog: Catalog, folder: Path) -> Catalog:
    (folder / "text.safetensors").write_text("this is not a tensor")
    files = {name: save_tiny_adapter(folder, seed=seed) for seed, name in enumerate(("ink", "clay"))}
    files |= {"broken": folder / "text.safetensors", "gone": folder / "gone.safetensors"}
    entry = replace(tiny_catalog["ddim"], adapters={name: adapter(name, file) for name, file in files.items()})
    return Catalog({"ddim": entry})


@pytest.fixture(scope="module")
def adapted(make_engine: Callable[..., DiffusersEngine], catalog: Catalog) -> DiffusersEngine:
    return make_engine(catalog)


def pixels_of(picture: Picture) -> bytes:
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.tobytes()


def pixels(engine: DiffusersEngine, **changes: Any) -> bytes:
    picture = engine.run(tiny_request(**changes), RecordedRun()).pictures[0]
    assert picture.parameters["adapter"] == changes.get("adapter", "")
    return pixels_of(picture)


@pytest.mark.parametrize(("name", "weight"), [("ink", 1.0), ("clay", 0.5), ("ink", 0.25)])
def test_it_is_the_picture_that_diffusers_paints_with_the_file(
    adapted: DiffusersEngine, catalog: Catalog, folder: Path, name: str, weight: float
) -> None:
    pipeline = stock_pipeline(catalog, "ddim")
    file = catalog["ddim"].adapters[name].file.source
    pipeline.load_lora_weights(str(folder), weight_name=file, adapter_name=name)
    pipeline.set_adapters([name], [weight])
    direct = called_directly(pipeline, tiny_request()).tobytes()
    assert pixels(adapted, adapter=name, adapter_weight=weight) == direct
    assert direct != called_directly(stock_pipeline(catalog, "ddim"), tiny_request()).tobytes()


def test_several_together_are_the_picture_that_diffusers_paints_with_them(
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapters, "_MAX_LOADED", 3)
    parts = {"ink": ("unet",), "clay": ("unet", "text_encoder"), "oil": ("text_encoder",), "tar": ("unet",)}
    files = {name: save_tiny_adapter(tmp_path, seed=seed, parts=parts[name]) for seed, name in enumerate(parts)}
    catalog = entry_with(tiny_catalog["ddim"], files)
    engine, seen = make_engine(catalog), set[bytes]()
    for weights in ({"clay": 0.5, "ink": 0.75}, {"clay": 0.5, "oil": 0.25, "tar": 1.0}, {"ink": 1.0, "oil": 0.5}):
        pipeline = stock_pipeline(catalog, "ddim")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft warns that there is another adapter already
            for name in weights:
                pipeline.load_lora_weights(str(tmp_path), weight_name=files[name].name, adapter_name=name)
        pipeline.set_adapters(list(weights), adapter_weights=list(weights.values()))
        direct = called_directly(pipeline, tiny_request()).tobytes()
        text = ", ".join(f"{name}:{weight}" for name, weight in weights.items())
        assert pixels(engine, adapter=text) == direct
        seen.add(direct)
    seen.add(pixels(engine))
    assert len(seen) == 4


def test_whoever_wants_none_gets_none(adapted: DiffusersEngine, engine: DiffusersEngine) -> None:
    plain = pixels(engine)
    for name in ("ink", "clay"):
        assert pixels(adapted, adapter=name, adapter_weight=1.0) != plain
        assert pixels(adapted) == plain


def test_different_adapters_never_share_a_call(adapted: DiffusersEngine) -> None:
    wishes = [("", 0.0), ("ink", 1.0), ("clay", 1.0), ("ink", 0.5), ("", 0.0), ("ink", 1.0)]
    wishes += [("clay:0.5, ink:1", 0.0), ("clay:1, ink:1", 0.0), ("ink:1, clay:0.5", 0.0)]
    alone = [
        pixels(adapted, adapter=name, adapter_weight=weight, seed=seed) for seed, (name, weight) in enumerate(wishes)
    ]
    company, rows = Company(adapted), list[int]()
    orders = [
        company.order(tiny_request(adapter=name, adapter_weight=weight, seed=seed))
        for seed, (name, weight) in enumerate(wishes)
    ]
    with watched_denoiser(adapted, lambda call: rows.append(call["latents"].shape[0])):
        company.begin()
        together = [painted(order).image for order in orders]
    assert max(rows) == 4  # two requests with the same adapters at the same weights, two rows each
    for image, expected in zip(together, alone, strict=True):
        difference = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()
        difference -= torch.frombuffer(bytearray(expected), dtype=torch.uint8).int()
        assert difference.abs().max() <= 1


def entry_with(entry: ModelEntry, files: dict[str, Path]) -> Catalog:
    adapters = {name: adapter(name, file) for name, file in files.items()}
    return Catalog({entry.name: replace(entry, adapters=adapters)})


def expected_of(catalog: Catalog, file: Path, **changes: Any) -> bytes:
    """Generate with diffusers and only this file."""
    (model,) = catalog
    pipeline = stock_pipeline(catalog, model)
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    return called_directly(pipeline, tiny_request(model=model, **changes)).tobytes()


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("ddim", ("unet", "text_encoder")),
        ("ddim", ("text_encoder",)),
        ("xl-euler", ("unet",)),
        ("xl-euler", ("unet", "text_encoder", "text_encoder_2")),
    ],
)
def test_the_text_encoders_are_changed_and_changed_back(
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tmp_path: Path,
    model: str,
    parts: tuple[str, ...],
) -> None:
    folder = tiny_catalog[model].folder
    files = {
        "v1.5": save_tiny_adapter(tmp_path, seed=5, model=folder, parts=parts),
        "to_q": save_tiny_adapter(tmp_path, seed=6, model=folder),  # a name that is also a layer's
    }
    catalog = entry_with(tiny_catalog[model], files)
    engine = make_engine(catalog)
    changes = {"strength_schedule": "index", "model": model}
    plain = called_directly(stock_pipeline(catalog, model), tiny_request(**changes)).tobytes()
    pictures = {name: expected_of(catalog, file, strength_schedule="index") for name, file in files.items()}
    assert len({plain, *pictures.values()}) == 3
    for name in ("", "v1.5", "to_q", "", "to_q", "v1.5", ""):
        assert pixels(engine, adapter=name, adapter_weight=1.0, **changes) == pictures.get(name, plain)


@pytest.mark.parametrize("model", ["ddim", "xl-euler"])
def test_other_trainers_files_are_read(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, tmp_path: Path, model: str
) -> None:
    file = save_tiny_adapter(tmp_path, seed=1, model=tiny_catalog[model].folder)
    engine = make_engine(entry_with(tiny_catalog[model], {"diffusers": file, "kohya": save_as_others_do(file)}))
    pictures = [pixels(engine, model=model, adapter=name, adapter_weight=1.0) for name in ("diffusers", "kohya")]
    assert pictures[0] == pictures[1] != pixels(engine, model=model)


def test_only_the_last_ones_stay_in_memory(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "_MAX_LOADED", 2)
    names = ("a", "b", "c")
    files = {name: save_tiny_adapter(tmp_path, seed=seed) for seed, name in enumerate(names)}
    engine = make_engine(entry_with(tiny_catalog["ddim"], files))
    first = {name: pixels(engine, adapter=name, adapter_weight=1.0) for name in names}
    model = engine._models._model
    assert model is not None
    assert model.pipeline.get_list_adapters()["unet"] == ["adapter_1", "adapter_2"]
    assert {name: pixels(engine, adapter=name, adapter_weight=1.0) for name in reversed(names)} == first
    assert pixels(engine) == called_directly(stock_pipeline(tiny_catalog, "ddim"), tiny_request()).tobytes()


def test_a_file_that_was_replaced_brings_its_own_reading_of_a_text(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "_MAX_LOADED", 1)
    file, other, later = (save_tiny_adapter(tmp_path, seed=seed, parts=("text_encoder",)) for seed in (1, 2, 3))
    catalog = entry_with(tiny_catalog["ddim"], {"ink": file, "clay": other})
    engine = make_engine(catalog)
    before = pixels(engine, adapter="ink", adapter_weight=1.0)
    later.replace(file)
    assert pixels(engine, adapter="ink", adapter_weight=1.0) == before  # while it is in memory
    pixels(engine, adapter="clay", adapter_weight=1.0)
    assert pixels(engine, adapter="ink", adapter_weight=1.0) == expected_of(catalog, file) != before


@pytest.mark.parametrize("name", ["broken", "other"])
def test_one_that_fails_first_of_all_harms_nobody_else(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, tmp_path: Path, folder: Path, name: str
) -> None:
    wide = save_tiny_adapter(tmp_path, seed=9, model=tiny_catalog["xl-euler"].folder)
    files = {"broken": folder / "text.safetensors", "other": wide, "ink": save_tiny_adapter(tmp_path, seed=1)}
    catalog = entry_with(tiny_catalog["ddim"], files)
    engine = make_engine(catalog)
    plain = pixels(engine)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="does_not_fit"):
            engine.run(tiny_request(adapter=name, adapter_weight=1.0), RecordedRun())
        assert pixels(engine) == plain
        assert pixels(engine, adapter="ink", adapter_weight=1.0) == expected_of(catalog, files["ink"])


@pytest.mark.parametrize(("name", "reason"), [("broken", "does_not_fit"), ("gone", "no_file")])
def test_a_file_that_cannot_be_used_harms_nobody_else(
    adapted: DiffusersEngine, engine: DiffusersEngine, name: str, reason: str
) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        adapted.run(tiny_request(adapter=name, adapter_weight=1.0), RecordedRun())
    assert pixels(adapted) == pixels(engine)


def test_want_of_memory_says_nothing_about_a_file(
    make_engine: Callable[..., DiffusersEngine],
    tiny_catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = save_tiny_adapter(tmp_path, seed=1, parts=("unet", "text_encoder"))
    engine = make_engine(entry_with(tiny_catalog["ddim"], {"ink": file}))
    usual, left = StableDiffusionLoraLoaderMixin.load_lora_into_text_encoder, 1

    def short_of_memory_once(*arguments: Any, **keywords: Any) -> None:
        nonlocal left
        if left > 0:  # by then the denoiser has its layers
            left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        usual(*arguments, **keywords)

    monkeypatch.setattr(
        StableDiffusionLoraLoaderMixin, "load_lora_into_text_encoder", staticmethod(short_of_memory_once)
    )
    wanted = tiny_request(adapter="ink", adapter_weight=1.0)
    first, second = (engine.run(wanted, RecordedRun()).pictures[0] for _ in range(2))
    assert left == 0
    assert [picture.parameters["painted_again"] for picture in (first, second)] == [True, False]
    assert pixels_of(first) == pixels_of(second) != pixels(engine)
