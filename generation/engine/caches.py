"""Caches of results that are likely to be needed again: text embeddings, and the latent distributions of pictures."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from generation.engine.latents.autoencoder import Distribution
from generation.engine.latents.preview_maps import PreviewMaps
from generation.engine.latents.previews import Previewer

Value = TypeVar("Value")

# A prompt takes 0.1 MB (Stable Diffusion) to 0.6 MB (XL), a picture of 512 x 512 pixels 0.1 MB.
_MAX_BYTES = 32 * 2**20


class ByteCache(Generic[Value]):
    """An LRU cache of at most ``max_bytes``."""

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable) -> Value | None:
        """Return the value, or None if it is not cached."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Store a value and evict the least recently used; one larger than ``max_bytes`` is not stored."""
        if key in self._values:
            self.bytes -= self._size_of(self._values.pop(key))
        size = self._size_of(value)
        if size > self._max_bytes:
            return
        self._values[key] = value
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, left = self._values.popitem(last=False)
            self.bytes -= self._size_of(left)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self.bytes = 0


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches that all pictures share; they are cleared first when memory runs out."""

    texts: ByteCache[Mapping[str, torch.Tensor]]
    pictures: ByteCache[Distribution]
    maps: PreviewMaps
    previewers: dict[Hashable, Previewer] = field(default_factory=dict)  # at most 5 MB for each model

    def clear(self) -> None:
        """Drop everything that takes device memory."""
        self.texts.clear()
        self.pictures.clear()


def make_caches(data_dir: Path | None = None) -> Caches:
    """Make empty caches; fitted preview maps are read from ``data_dir`` if an earlier start left some."""
    texts, pictures = ByteCache(_MAX_BYTES, _bytes_of_text), ByteCache(_MAX_BYTES, _bytes_of_distribution)
    return Caches(texts, pictures, PreviewMaps(data_dir))


def _bytes_of_text(tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _bytes_of_distribution(distribution: Any) -> int:
    return sum(value.nbytes for value in vars(distribution).values() if isinstance(value, torch.Tensor))
