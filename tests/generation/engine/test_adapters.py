"""LoRA files on a random pipeline: diffusers' own picture, nothing left behind, no call shared."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.errors import ModelUnavailable
from generation.models.adapters import Adapter
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog
from tests.generation.engine.company import Company, painted, watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, stock_pipeline, tiny_request
from tests.tiny_adapters import save_tiny_adapter


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


def pixels(engine: DiffusersEngine, **changes: Any) -> bytes:
    picture = engine.run(tiny_request(**changes), RecordedRun()).pictures[0]
    assert picture.parameters["adapter"] == changes.get("adapter", "")
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.tobytes()


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


def test_whoever_wants_none_gets_none(adapted: DiffusersEngine, engine: DiffusersEngine) -> None:
    plain = pixels(engine)
    for name in ("ink", "clay"):
        assert pixels(adapted, adapter=name, adapter_weight=1.0) != plain
        assert pixels(adapted) == plain


def test_different_adapters_never_share_a_call(adapted: DiffusersEngine) -> None:
    wishes = [("", 0.0), ("ink", 1.0), ("clay", 1.0), ("ink", 0.5), ("", 0.0), ("ink", 1.0)]
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
    assert max(rows) == 4  # two requests with the same adapter at the same weight, two rows each
    for image, expected in zip(together, alone, strict=True):
        difference = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()
        difference -= torch.frombuffer(bytearray(expected), dtype=torch.uint8).int()
        assert difference.abs().max() <= 1


@pytest.mark.parametrize(("name", "reason"), [("broken", "does_not_fit"), ("gone", "no_file")])
def test_a_file_that_cannot_be_used_harms_nobody_else(
    adapted: DiffusersEngine, engine: DiffusersEngine, name: str, reason: str
) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        adapted.run(tiny_request(adapter=name, adapter_weight=1.0), RecordedRun())
    assert pixels(adapted) == pixels(engine)
