"""How much of a machine a model takes: its files tell more precisely than the catalog."""

from dataclasses import replace
from pathlib import Path

import pytest

from generation.models.catalog import ModelEntry, load_catalog
from generation.models.fit import Fit, fit_of
from generation.models.machine import Accelerator, Machine
from generation.models.memory_plan import BASE_BYTES, Placement
from generation.settings import PACKAGED_MODELS_FILE

MEBIBYTE = 2**20


@pytest.fixture
def demo() -> ModelEntry:
    return load_catalog(PACKAGED_MODELS_FILE)["demo"]


def on_cpu(mebibytes: int) -> Machine:
    return Machine(mebibytes * MEBIBYTE, ())


def on_card(mebibytes: int, memory_mebibytes: int = 8192) -> Machine:
    cards = (Accelerator("Small", 100 * MEBIBYTE), Accelerator("Card", mebibytes * MEBIBYTE))
    return Machine(memory_mebibytes * MEBIBYTE, cards)


def fit(entry: ModelEntry, machine: Machine, tmp_path: Path, dtype: str = "auto") -> Fit:
    return fit_of(entry, machine, data_dir=tmp_path, dtype=dtype, max_width=16)


def test_files_that_are_here_decide(demo: ModelEntry, tmp_path: Path) -> None:
    wrong = replace(demo, memory_bytes=2**60)
    found = fit(wrong, on_card(4096), tmp_path)
    assert found.plan is not None
    assert (found.plan.device, found.plan.dtype, found.plan.placement) == ("cuda", "bfloat16", Placement.RESIDENT)
    assert found.fits
    assert BASE_BYTES["cuda"] < found.memory_bytes < 2**30
    assert not fit(wrong, on_cpu(400), tmp_path).fits
    in_full, in_half = (fit(wrong, on_cpu(4096), tmp_path, dtype).memory_bytes for dtype in ("auto", "bfloat16"))
    assert in_half < in_full


def test_a_small_card_is_used_further_down_the_ladder(demo: ModelEntry, tmp_path: Path) -> None:
    found = {size: fit(demo, on_card(size), tmp_path, "float32") for size in range(600, 800)}
    fitting = [size for size, each in found.items() if each.fits]
    assert fitting == list(range(fitting[0], 800))
    smallest = found[fitting[0]]
    assert smallest.plan is not None
    assert smallest.plan.placement is not Placement.RESIDENT
    assert not fit(demo, on_card(fitting[0], memory_mebibytes=1), tmp_path, "float32").fits  # nothing waits there


def test_without_files_the_catalog_has_the_word(demo: ModelEntry, tmp_path: Path) -> None:
    gone = replace(demo, folder=None, hub_id="somebody/demo", memory_bytes=1000 * MEBIBYTE)
    assert fit(gone, on_card(1000), tmp_path) == Fit(1000 * MEBIBYTE, True)
    assert fit(gone, on_cpu(1999), tmp_path) == Fit(1000 * MEBIBYTE, False)  # in float32
    (tmp_path / "model_index.json").write_text("{}")
    unreadable = replace(gone, folder=tmp_path, hub_id=None)
    assert fit(unreadable, on_card(1000), tmp_path) == Fit(1000 * MEBIBYTE, True)
