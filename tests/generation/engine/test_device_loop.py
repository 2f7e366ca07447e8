"""The device loop's own mistakes would be everybody's: it must make none when several things end at once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from generation.engine.base import RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.errors import ModelUnavailable
from generation.models.catalog import Catalog
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.stock import tiny_request

MakeEngine = Callable[..., DiffusersEngine]


class GivenUp(RecordedRun):
    """A run that stays given up: every report from the thirtieth step on says so."""

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        super().step(step, total_steps, preview)
        if step >= 30:
            raise RunCancelled


def test_pictures_of_one_order_that_end_in_the_same_step_end_it_once(
    engine: DiffusersEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RunCancelled):
        engine.run(tiny_request(count=4, strength=1.0, num_inference_steps=20), GivenUp())
    assert engine.run(tiny_request(), RecordedRun()).pictures
    assert "the device loop broke" not in caplog.text


def test_a_model_that_cannot_be_loaded_ends_all_pictures_of_an_order_and_nothing_else(
    make_engine: MakeEngine, tiny_catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(tiny_catalog["ddim"].folder or "", tmp_path / "broken")
    (folder / "unet" / "config.json").write_text("{}")
    engine = make_engine(Catalog({**tiny_catalog, "broken": tiny_entry("broken", folder)}))
    with pytest.raises(ModelUnavailable):
        engine.run(tiny_request(model="broken", count=3), RecordedRun())
    assert engine.run(tiny_request(), RecordedRun()).pictures
    assert "the device loop broke" not in caplog.text
