"""Which models can be used here and now."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from generation.errors import ModelUnavailable
from generation.models.adapters import Adapter
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry
from generation.models.embeddings import Embedding
from generation.models.families import FAMILIES
from generation.models.files import is_here
from generation.models.problems import ModelProblem
from generation.sentences import error_sentence

log = logging.getLogger(__name__)


class ModelShelf:
    """The catalog's models on this machine, and the operator's default model, which is downloaded if it is missing.

    Commands never start a download of gigabytes: only the operator does.
    """

    def __init__(self, catalog: Catalog, *, default_model: str, data_dir: Path) -> None:
        self._catalog = catalog
        self._default_model = default_model
        self._data_dir = data_dir
        self._here: frozenset[str] = frozenset({default_model})
        self._add_on_troubles: Mapping[AddOnFile, ModelUnavailable | None] = {}

    async def refresh(self) -> None:
        """Look again which models, and which of their add-ons, are on this machine."""

        def look() -> tuple[frozenset[str], Mapping[AddOnFile, ModelUnavailable | None]]:
            entries = self._catalog.values()
            add_ons = (file for entry in entries for file in entry.add_ons)
            return (
                frozenset(entry.name for entry in entries if is_here(entry, self._data_dir)),
                {file: file.trouble(self._data_dir) for file in add_ons},
            )

        here, self._add_on_troubles = await asyncio.to_thread(look)
        for trouble in filter(None, self._add_on_troubles.values()):
            if trouble.reason != ModelProblem.ADD_ON_NOT_HERE:  # that one may be intended
                log.warning("%s", error_sentence(trouble))
        self._here = here | {self._default_model}

    def find(self, name: str) -> ModelEntry:
        """Return an entry; raise ModelUnavailable (``unknown``), which lists the usable models."""
        if name not in self._catalog:
            raise ModelUnavailable(name, ModelProblem.UNKNOWN, known=[entry.name for entry in self.usable()])
        return self._catalog.find(name)

    def require(self, name: str) -> None:
        """Raise ModelUnavailable (``unknown``, ``not_downloaded``) unless the model can be used."""
        self.find(name)
        if name not in self._here:
            raise ModelUnavailable(name, ModelProblem.NOT_DOWNLOADED)

    @property
    def names(self) -> frozenset[str]:
        """The names of the models that can be used."""
        return self._here

    def usable(self) -> list[ModelEntry]:
        """Return the models that can be used, in catalog order."""
        return [entry for name, entry in self._catalog.items() if name in self._here]

    def require_add_on(self, file: AddOnFile) -> None:
        """Raise ModelUnavailable (with the reasons of ``AddOnFile.trouble``) unless an add-on can be used."""
        if (trouble := self._add_on_troubles.get(file, file.missing())) is not None:
            raise trouble.with_traceback(None)

    @property
    def has_adapters(self) -> bool:
        """Whether any model of the catalog has adapters, present on this machine or not."""
        return any(entry.adapters for entry in self._catalog.values())

    def adapters(self, entry: ModelEntry) -> list[Adapter]:
        """Return a model's adapters that can be used."""
        return [adapter for adapter in entry.adapters.values() if self._is_usable_add_on(adapter.file)]

    def embeddings(self, entry: ModelEntry) -> list[Embedding]:
        """Return a model's embeddings that can be used."""
        return [embedding for embedding in entry.embeddings.values() if self._is_usable_add_on(embedding.file)]

    def _is_usable_add_on(self, file: AddOnFile) -> bool:
        return self._add_on_troubles.get(file, file.missing()) is None

    def is_demo(self, name: str) -> bool:
        """Return whether this is the small model that is included with the program."""
        entry = self._catalog.get(name)  # a model may have left the catalog since its job was accepted
        return entry is not None and entry.is_demo

    def repaints_parts(self, name: str) -> bool:
        """Whether a model can repaint the transparent parts of a picture alone."""
        entry = self._catalog.get(name)
        return entry is not None and FAMILIES[entry.family].repaints_parts

    def takes_strength(self, name: str) -> bool:
        """Return whether this model uses the strength."""
        entry = self._catalog.get(name)
        return entry is None or FAMILIES[entry.family].takes_strength
