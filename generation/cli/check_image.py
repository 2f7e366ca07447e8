"""``check-image``: whether files would be accepted, according to the decoder that uploads go through."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder, read_input
from generation.sentences import error_sentence, unreadable_file_sentence


async def check_files(paths: Iterable[str | Path], write_line: Callable[[str], None]) -> int:
    """Write one JSON object per file, in order; return how many files were refused.

    Fields: ``file``, ``ok``, ``reason`` (a sentence, or null), ``width`` and ``height`` of the upright original (null
    if refused), ``seconds``. Raises ExecutorError if the decode child cannot be started.
    """
    refused = 0
    async with ImageDecoder() as decoder:
        for path in paths:
            line = await _check(decoder, Path(path))
            refused += not line["ok"]
            write_line(json.dumps(line, ensure_ascii=False))
    return refused


async def _check(decoder: ImageDecoder, path: Path) -> dict[str, Any]:
    started = time.perf_counter()
    reason = width = height = None
    try:
        image = await decoder.decode(await asyncio.to_thread(read_input, path))
        width, height = image.original_width, image.original_height
    except ImageRefused as error:
        reason = error_sentence(error)
    except OSError as error:
        reason = unreadable_file_sentence(str(path), error)
    return {
        "file": str(path),
        "ok": reason is None,
        "reason": reason,
        "width": width,
        "height": height,
        "seconds": round(time.perf_counter() - started, 3),
    }
