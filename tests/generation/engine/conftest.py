"""A catalog of random pipelines and an engine that serves it, in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.engine.base import RunCancelled
from generation.engine.device import choose_device
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.width import FixedWidth
from generation.models.catalog import Catalog, ModelDefaults, ModelEntry
from generation.models.hub import Hub
from generation.phases import Phase
from tests.generation.engine.recorded_graphs import Graphs, record_graphs
from tests.tiny_families.pipelines import stable_diffusion_xl
from tests.tiny_pipeline import SCHEDULERS, save_tiny_pipeline


def tiny_entry(name: str, folder: Path) -> ModelEntry:
    return ModelEntry(
        name=name,
        title=name,
        summary="Random weights.",
        family="stable-diffusion",
        licence="MIT",
        defaults=ModelDefaults(strength=0.5, guidance_scale=4.0, num_inference_steps=4, size=64),
        max_size=128,
        multiple=8,
        memory_bytes=2**20,
        folder=folder,
    )


@dataclass
class RecordedRun:
    """A run that records what it is told, and cancels where the test wants it to."""

    told: list[Any] = field(default_factory=list)
    cancel_at_step: int | None = None
    cancel_at_phase: Phase | None = None

    def enter(self, phase: Phase) -> None:
        self.told.append(phase)
        if phase == self.cancel_at_phase:
            raise RunCancelled

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        self.told.append((step, total_steps))
        if step == self.cancel_at_step:
            raise RunCancelled


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Use one thread: two are slower for tensors this small, and sums split over two are rounded differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("models")
    entries = {name: tiny_entry(name, save_tiny_pipeline(folder / name, scheduler=name)) for name in SCHEDULERS}
    distilled = save_tiny_pipeline(folder / "lcm-distilled", scheduler="lcm", time_cond_proj_dim=16)
    entries["lcm-distilled"] = tiny_entry("lcm-distilled", distilled)
    for scheduler in ("euler", "lcm"):
        pipeline = stable_diffusion_xl()
        pipeline.scheduler = SCHEDULERS[scheduler]()
        pipeline.save_pretrained(folder / f"xl-{scheduler}", safe_serialization=True)
        entry = tiny_entry(f"xl-{scheduler}", folder / f"xl-{scheduler}")
        entries[entry.name] = replace(entry, family="stable-diffusion-xl")
    return Catalog(entries)


@pytest.fixture(scope="session")
def make_engine(
    tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., DiffusersEngine]]:
    made: list[DiffusersEngine] = []

    def make(
        catalog: Catalog = tiny_catalog, dtype: torch.dtype = torch.float32, device: str = "cpu", **options: Any
    ) -> DiffusersEngine:
        engine = DiffusersEngine(
            catalog=catalog,
            default_model=next(iter(catalog)),
            hub=Hub(),
            device=choose_device(device),
            dtype=dtype,
            **{"data_dir": tmp_path_factory.mktemp("data"), "make_width": FixedWidth, **options},
        )
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.fixture(scope="session")
def engine(make_engine: Callable[..., DiffusersEngine]) -> DiffusersEngine:
    """An engine shared by many tests."""
    return make_engine()


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Graphs:
    """CUDA graphs without CUDA."""
    return record_graphs(monkeypatch)
