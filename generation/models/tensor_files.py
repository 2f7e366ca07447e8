"""Reads the headers of safetensors files: nothing is loaded, and neither torch nor safetensors is needed.

Source: https://huggingface.co/docs/safetensors/index#format
"""

import json
import struct
from pathlib import Path
from typing import Any

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
METADATA = "__metadata__"


def read_header(path: Path) -> dict[str, Any]:
    """Return a file's tensor descriptions by name, and its metadata; raise ValueError or OSError."""
    with path.open("rb") as file:
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
        if not 0 < length <= _MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} is no safetensors file")
        return json.loads(file.read(length))


def is_whole(path: Path) -> bool:
    """Tell whether a file is a safetensors file with all the bytes that its header announces."""
    try:
        header = read_header(path)
        tensors = [tensor for name, tensor in header.items() if name != METADATA]
        data_bytes = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        with path.open("rb") as file:
            header_bytes = _LENGTH.unpack(file.read(_LENGTH.size))[0]
        return path.stat().st_size == _LENGTH.size + header_bytes + data_bytes
    except (OSError, ValueError, AttributeError, KeyError, IndexError, TypeError):
        return False
