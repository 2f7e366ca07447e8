"""The models in memory: which are there, and who has to leave for another."""

import gc
from collections.abc import Callable
from pathlib import Path

import torch

from generation.catalog import Catalog
from generation.engine.device import free_memory
from generation.engine.loading import LoadedModel, load_model
from generation.hub import Hub, ensure_model


class ResidentModels:
    """Keep one model in memory; another one is loaded only after it has left."""

    def __init__(self, catalog: Catalog, *, data_dir: Path, hub: Hub, device: torch.device, dtype: torch.dtype) -> None:
        self._catalog = catalog
        self._data_dir = data_dir
        self._hub = hub
        self._device = device
        self._dtype = dtype
        self._model: LoadedModel | None = None

    def get(self, name: str, alive: Callable[[], None]) -> LoadedModel:
        """Return the model, in memory; ``alive`` is called while it is being downloaded, which may take long."""
        if self._model is not None and self._model.entry.name == name:
            return self._model
        entry = self._catalog.find(name)
        files = ensure_model(entry, self._data_dir, self._hub, lambda *_: alive())
        self._model = None
        gc.collect()
        free_memory(self._device)
        self._model = load_model(entry, files, self._device, self._dtype)
        return self._model
