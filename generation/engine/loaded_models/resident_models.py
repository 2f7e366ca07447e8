"""The models in memory: which they are, how they are held, and which is evicted for another."""

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from generation.engine.base import OutOfMemory
from generation.engine.device import free_bytes, free_memory
from generation.engine.faults import fault_of
from generation.engine.kernels.huge_pages import moves_to_huge_pages
from generation.engine.kernels.preparing import pack_denoiser
from generation.engine.loaded_models.loading import LoadedModel, load_model, read_scheduler
from generation.engine.loaded_models.placement import place
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry
from generation.models.files import ensure_model, path_here
from generation.models.hub import Hub
from generation.models.memory_plan import MemoryPlan, make_plan, plan_words, widest_plan
from generation.models.sizes import read_sizes
from generation.models.snapshots import ModelFiles
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

_USABLE_SHARE = 0.9  # of what is free: allocators leave gaps, and other programs need some too
_WORTH_MOVING_BYTES = 256 * 2**20  # of packed weights; with fewer, no difference could be measured


class ResidentModels:
    """Hold models in memory as planned; the least recently requested is evicted when another needs the room.

    ``max_width`` is the maximum number of rows in one call of a denoiser.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        data_dir: Path,
        hub: Hub,
        device: torch.device,
        dtype: torch.dtype,
        max_width: int = 16,
        compiler: str | None = None,
    ) -> None:
        self._catalog = catalog
        self._data_dir = data_dir
        self._hub = hub
        self._device = device
        self._dtype = dtype
        self._max_width = max_width
        self._compiler = compiler
        self._models: dict[str, LoadedModel] = {}  # least recently requested first
        self._lowered: dict[str, MemoryPlan] = {}  # plans of models that ran out of memory
        self._fetching: dict[str, threading.Lock] = {}  # by model
        self._schedulers: dict[str, Any] = {}  # by model, as its files describe them
        self._packing: Iterator[None] = iter(())  # of the model that was loaded last
        self._moves: Iterator[int] = iter(())

    def is_resident(self, name: str) -> bool:
        """Tell whether the model is in memory and held as planned now."""
        model = self._models.get(name)
        return model is not None and model.plan == self._lowered.get(name, model.plan)

    def fetch(self, name: str, alive: Callable[[], None]) -> None:
        """Download the model's files if they are missing, which may take long; ``alive`` is called meanwhile.

        Any thread may call it; the one that owns the device must never wait for a network.
        """
        entry = self._catalog.find(name)
        fetching = self._fetching.setdefault(name, threading.Lock())
        while not fetching.acquire(timeout=1.0):  # two that want the same files download them once
            alive()
        try:
            if name not in self._models:
                ensure_model(entry, self._data_dir, self._hub, lambda *_: alive())
        finally:
            fetching.release()

    def own_scheduler(self, name: str) -> Any | None:
        """Return the scheduler that the model's files describe, or None if they are not here; any thread may call it.

        It is not the pipeline's, which is replaced while a picture is generated with another sampler.
        """
        if name not in self._schedulers:
            folder = path_here(self._catalog.find(name), self._data_dir, self._hub)
            if folder is None or (scheduler := read_scheduler(folder)) is None:
                return None
            self._schedulers[name] = scheduler
        return self._schedulers[name]

    def get(self, name: str, alive: Callable[[], None]) -> LoadedModel:
        """Return the model, loaded if necessary; ``alive`` is called during a download, which may take long.

        Raises ModelUnavailable, or OutOfMemory if not even the last plan down the ladder fits. Unless the model is
        resident, no model may be in use, because others may have to be evicted.
        """
        if self.is_resident(name):
            self._models[name] = self._models.pop(name)  # to the end
            return self._models[name]
        entry = self._catalog.find(name)
        files = ensure_model(entry, self._data_dir, self._hub, lambda *_: alive())
        self._drop(name)
        self._models[name] = model = self._load(entry, files)
        self._packing = pack_denoiser(model.pipeline)
        if model.packable_bytes >= _WORTH_MOVING_BYTES:
            self._moves = moves_to_huge_pages()
        return model

    def pack(self) -> bool:
        """Spend some milliseconds on packing a weight; return False when all are packed."""
        return _advance(self._packing)

    def improve(self) -> bool:
        """Spend some milliseconds on speeding up later pictures; return False when there is nothing left to do."""
        return self.pack() or _advance(self._moves)

    def stop_capturing(self) -> None:
        """Stop capturing calls of the models in memory, and free what their graphs took."""
        for model in self._models.values():
            if model.fast_denoiser is not None:
                model.fast_denoiser.stop_capturing()

    def can_be_lowered(self, name: str) -> bool:
        """Tell whether the model can be held in less memory."""
        return self._lower_plan(name) is not None

    def lower(self, name: str) -> None:
        """Hold a model in less memory from now on, after it ran out: one rung down the ladder.

        Tiling takes effect at once, while others go on. For anything else the model has to be loaded again, and it is
        not resident until the next request for it.
        """
        plan = self._lower_plan(name)
        if plan is None:
            return
        log.warning("not enough memory for %s; from now on: %s", name, plan_words(plan))
        model = self._models[name]
        self._lowered[name] = plan
        if plan == replace(model.plan, batch_width=plan.batch_width, tiles_pictures=True):
            place(model.pipeline, plan, self._device)
            self._models[name] = replace(model, plan=plan)

    def _locate(self, file: AddOnFile) -> Path:
        return file.locate(self._data_dir, self._hub)

    @property
    def _model(self) -> LoadedModel | None:
        return next(reversed(self._models.values()), None)

    def _lower_plan(self, name: str) -> MemoryPlan | None:
        """Return the next lower plan that helps a single picture, which a narrower batch does not."""
        model = self._models.get(name)
        if model is None:
            return None
        return replace(self._lowered.get(name, model.plan), batch_width=2).lower()

    def _load(self, entry: ModelEntry, files: ModelFiles) -> LoadedModel:
        """Load a model as planned; if memory runs out, evict the others first, then lower the plan."""
        plan = self._plan(entry, files)
        while True:
            log.info("%s: %s", entry.name, plan_words(plan))
            try:
                return load_model(entry, files, self._device, self._dtype, plan, self._locate, self._compiler)
            except Exception as error:
                if fault_of(error) is not OutOfMemory:
                    raise
            # Outside the except block: the error's traceback keeps what has been loaded so far alive.
            lower = plan if self._models else _with_less_weights(plan)
            if lower is None:
                raise OutOfMemory
            self._drop_all()
            gc.collect()
            free_memory(self._device)
            log.warning("not enough memory to load %s; from now on: %s", entry.name, plan_words(lower))
            self._lowered[entry.name] = plan = lower

    def _plan(self, entry: ModelEntry, files: ModelFiles) -> MemoryPlan:
        """Plan how to hold a model; others are evicted until it gets all that it wants, or has the device to itself."""
        widest = widest_plan(
            device=self._device.type,
            dtype=str(self._dtype).removeprefix("torch."),
            max_width=self._max_width,  # the loop decides how wide calls really are
            has_adapters=bool(entry.adapters),
        )
        free_memory(self._device)  # what torch has cached counts as free
        if entry.name in self._lowered:
            self._drop_all()
            return self._lowered[entry.name]
        try:
            sizes = read_sizes(files.path)
        except ValueError:  # let diffusers decide what the files are
            self._drop_all()
            return widest
        while True:
            plan = make_plan(
                widest,
                sizes,
                budget_bytes=round(_USABLE_SHARE * free_bytes(self._device)),
                max_pixels=entry.defaults.max_pixels,
            )
            if not self._models or plan == widest:
                return plan
            self._drop(next(iter(self._models)))

    def _drop_all(self) -> None:
        for name in list(self._models):
            self._drop(name)

    def _drop(self, name: str) -> None:
        model = self._models.pop(name, None)
        self._packing = iter(())  # it keeps the layers alive
        if model is not None:
            if model.fast_denoiser is not None:
                model.fast_denoiser.close()
            del model
            gc.collect()
            free_memory(self._device)


def _advance(turns: Iterator[object]) -> bool:
    """Advance by one turn; return False when there is none left."""
    try:
        next(turns)
    except StopIteration:
        return False
    except Exception as error:  # lack of memory, or what an OS kernel reports instead; pictures need neither
        log.warning("weights stay where they are\n%s", stack_of(error))
        return False  # a generator that has raised is exhausted
    return True


def _with_less_weights(plan: MemoryPlan) -> MemoryPlan | None:
    """Return the next plan down the ladder that keeps fewer bytes of weights on the device at once."""
    lower = plan.lower()
    while lower and (lower.placement, lower.stores_float8) == (plan.placement, plan.stores_float8):
        lower = lower.lower()
    return lower
