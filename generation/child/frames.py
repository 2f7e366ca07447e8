"""Messages between parent and child: a small JSON object and any number of byte strings, never a pickle.

Layout: two little-endian uint32 (length of the JSON head, number of blobs), one uint64 per blob (its length),
the head, the blobs.
"""

import asyncio
import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

_LENGTHS = struct.Struct("<II")
# For one message; only a compromised child would send more, to fill the parent's memory.
MAX_BLOBS, MAX_BYTES = 64, 1024**3


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its ``kind``, its JSON fields and its binary attachments."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict, repr=False)  # may hold tokens and prompts
    blobs: tuple[bytes, ...] = field(default=(), repr=False)

    def pack(self) -> bytes:
        """Return the message as bytes for the pipe."""
        head = json.dumps([self.kind, self.fields]).encode()
        sizes = struct.pack(f"<{len(self.blobs)}Q", *map(len, self.blobs))
        return b"".join((_LENGTHS.pack(len(head), len(self.blobs)), sizes, head, *self.blobs))


def _frame(head: bytes, blobs: tuple[bytes, ...]) -> Frame:
    kind, fields = json.loads(head)
    return Frame(kind, fields, blobs)


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Read one message; return None if the other side is gone, even in mid-message, or sends too much."""
    try:
        head_length, blob_count = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if blob_count > MAX_BLOBS:
            return None
        sizes = struct.unpack(f"<{blob_count}Q", await reader.readexactly(8 * blob_count))
        if head_length + sum(sizes) > MAX_BYTES:
            return None
        head = await reader.readexactly(head_length)
        return _frame(head, tuple([await reader.readexactly(size) for size in sizes]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def read_frame_blocking(pipe: BinaryIO) -> Frame | None:
    """Read one message from a blocking pipe; return None at its end."""
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_length, blob_count = _LENGTHS.unpack(lengths)
    sizes = struct.unpack(f"<{blob_count}Q", pipe.read(8 * blob_count))
    head = pipe.read(head_length)
    return _frame(head, tuple(pipe.read(size) for size in sizes))
