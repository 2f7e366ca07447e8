"""The models in memory: which are there, and who has to leave for another."""

import gc
import threading
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
        self._fetching = threading.Lock()

    def is_resident(self, name: str) -> bool:
        """Tell whether the model is in memory."""
        return self._model is not None and self._model.entry.name == name

    def fetch(self, name: str, alive: Callable[[], None]) -> None:
        """Bring the model's files to this machine; ``alive`` is called meanwhile, which may take long.

        This alone may be called by any thread; whoever owns the device is not to wait for a network.
        """
        entry = self._catalog.find(name)
        while not self._fetching.acquire(timeout=1.0):  # two that want the same files fetch them once
            alive()
        try:
            if not self.is_resident(name):
                ensure_model(entry, self._data_dir, self._hub, lambda *_: alive())
        finally:
            self._fetching.release()

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
