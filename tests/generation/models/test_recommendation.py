"""Which model is recommended for a machine."""

import dataclasses
from pathlib import Path

import pytest

from generation.models.catalog import Catalog, load_catalog
from generation.models.machine import Accelerator, Machine
from generation.models.recommendation import recommended_model
from generation.settings import PACKAGED_MODELS_FILE

GIBIBYTE = 2**30


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog(PACKAGED_MODELS_FILE)


@pytest.mark.parametrize(
    ("memory_gibibytes", "card_gibibytes", "expected"),
    [
        (64, 80, "qwen-image-2512"),
        (64, 40, "z-image-turbo"),  # FLUX.1 would fit, but its licence has to be accepted first
        (64, 24, "z-image-turbo"),
        (8, 12, "stable-diffusion-xl"),
        (64, 8, "stable-diffusion-v1-5"),
        (64, 2, "demo"),
        (128, None, "sd-turbo"),  # of all that fit, the one that a CPU finishes first
        (8, None, "sd-turbo"),
        (4, None, "demo"),
    ],
)
def test_the_best_that_fits_is_recommended(
    catalog: Catalog, memory_gibibytes: int, card_gibibytes: int | None, expected: str
) -> None:
    cards = () if card_gibibytes is None else (Accelerator("card", card_gibibytes * GIBIBYTE),)
    best = recommended_model(catalog, Machine(memory_gibibytes * GIBIBYTE, cards))
    assert best is catalog[expected]


def test_a_folder_that_is_not_there_is_not_recommended(catalog: Catalog, tmp_path: Path) -> None:
    mine = dataclasses.replace(catalog["sd-turbo"], name="mine", hub_id=None, revision=None, folder=tmp_path / "mine")
    ours = Catalog({"mine": mine, "demo": catalog["demo"]})
    machine = Machine(64 * GIBIBYTE, ())
    assert recommended_model(ours, machine) is ours["demo"]
    (tmp_path / "mine").mkdir()
    assert recommended_model(ours, machine) is mine


def test_a_machine_that_is_too_small_for_all_gets_no_recommendation(catalog: Catalog) -> None:
    assert recommended_model(catalog, Machine(GIBIBYTE // 2, ())) is None
