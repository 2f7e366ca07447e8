"""Compression of gateway payloads: one stream per connection, flushed after every payload."""

from __future__ import annotations

import zlib
from typing import Protocol

import zstandard


class Stream(Protocol):
    """Turns successive payloads into the pieces of one compressed stream."""

    def compress(self, payload: bytes) -> bytes: ...


class ZlibStream:
    """Compresses as ``compress=zlib-stream``: every payload ends with the four bytes of a sync flush."""

    def __init__(self) -> None:
        self._context = zlib.compressobj()

    def compress(self, payload: bytes) -> bytes:
        return self._context.compress(payload) + self._context.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """Compresses as ``compress=zstd-stream``."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdCompressor().compressobj()

    def compress(self, payload: bytes) -> bytes:
        return self._context.compress(payload) + self._context.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


STREAMS: dict[str, type[ZlibStream] | type[ZstdStream]] = {"zlib-stream": ZlibStream, "zstd-stream": ZstdStream}
