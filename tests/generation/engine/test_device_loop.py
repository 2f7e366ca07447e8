"""The device loop's own bugs would affect everyone, so it must have none when several things end at once."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generation.engine import order
from generation.engine.base import RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.kernels import preparing
from generation.engine.loaded_models import resident_models
from generation.errors import ModelUnavailable
from generation.models.catalog import Catalog
from generation.phases import Phase
from tests.generation.engine.company import Company, painted
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.stock import tiny_request
from tests.tiny_families.pipelines import save_tiny_family

MakeEngine = Callable[..., DiffusersEngine]


class GivenUp(RecordedRun):
    """A run that stays cancelled: from the thirtieth step on, every report raises."""

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


def test_what_is_improved_while_nobody_waits_keeps_nobody_waiting(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_idle, is_over = threading.Event(), threading.Event()

    def moves() -> Iterator[int]:  # endless
        while not is_over.is_set():
            is_idle.set()
            yield 1

    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    monkeypatch.setattr(resident_models, "moves_to_huge_pages", moves)
    monkeypatch.setattr(resident_models, "_WORTH_MOVING_BYTES", 1)
    engine = make_engine(dtype=torch.bfloat16)
    try:
        for seed in (1, 2):
            is_idle.clear()
            assert engine.run(tiny_request(seed=seed), RecordedRun()).pictures
            assert is_idle.wait(60)
    finally:
        is_over.set()


def test_a_small_model_is_not_moved_about(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    monkeypatch.setattr(resident_models, "moves_to_huge_pages", lambda: pytest.fail("it was"))
    engine = make_engine(dtype=torch.bfloat16)
    assert engine.run(tiny_request(), RecordedRun()).pictures


def test_who_comes_while_another_has_the_device_alone_is_heard(
    make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "_HEARTBEAT_SECONDS", 0.0)
    name = "stable-diffusion-3"
    entry = replace(tiny_entry(name, save_tiny_family(name, tmp_path / name)), family=name, multiple=16)
    company = Company(make_engine(Catalog({name: entry})))
    first, second = company.order(tiny_request(model=name)), company.order(tiny_request(model=name), at_step=1)
    second._run = RecordedRun(cancel_at_phase=Phase.LOAD)
    is_heard = list[bool]()
    company._at_step[2] = [lambda: is_heard.append(second.pictures[0].done())]
    company.begin()
    assert painted(first).steps > 2
    assert is_heard == [True]
    with pytest.raises(RunCancelled):
        painted(second)
