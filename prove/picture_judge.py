"""What becomes of one foreign picture: accepted or refused, in what time and memory, and whether it looks right."""

import asyncio
import contextlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import psutil
from PIL import Image, ImageChops, ImageStat

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.formats import Format, sniff
from generation.images.refusals import Refusal
from generation.sentences import error_sentence
from prove.foreign_archives import ForeignFile
from prove.reference_pictures import Reading, Reference

DEADLINE_SECONDS = 10.0
MAX_DIFFERENCE = 2.0
# Refusals of valid pictures that exceed the documented limits.
LIMITS = {Refusal.TOO_MANY_BYTES, Refusal.TOO_MANY_PIXELS, Refusal.SIDE_TOO_LONG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file, as a line of the results file."""

    name: str
    sha256: str
    format: str | None
    refusal: str | None
    sentence: str | None
    seconds: float | None
    child_mebibytes: float
    reference_error: str
    is_same_size: bool | None = None
    difference: float | None = None

    @property
    def is_own(self) -> bool:
        """Whether the file was generated here rather than found elsewhere."""
        return self.name.startswith("own ")

    @property
    def is_picture(self) -> bool:
        """Whether the file is in one of the accepted formats."""
        return self.format in set(Format)

    @property
    def is_valid(self) -> bool:
        """Whether the picture ought to be accepted; our own ones are bombs or damaged."""
        return not self.is_own and self.is_picture and not self.reference_error and self.refusal not in LIMITS

    @property
    def is_true(self) -> bool:
        """Whether an accepted picture came out upright and in its colours."""
        return bool(self.is_same_size) and self.difference is not None and self.difference <= MAX_DIFFERENCE


async def judge(decoder: ImageDecoder, reference: Reference, foreign: ForeignFile, digest: str) -> Outcome:
    """Decode a file here and with the reference; return what became of it."""
    sniffed = sniff(foreign.data)
    refusal = sentence = seconds = clean = None
    watch = _MemoryWatch(decoder)
    started = asyncio.get_running_loop().time()
    try:
        async with watch:
            clean = await decoder.decode(foreign.data)
        seconds = clean.seconds
    except ImageRefused as error:
        seconds = asyncio.get_running_loop().time() - started
        refusal, sentence = str(error.reason), error_sentence(error)
    reading = Reading(error="it is in no format that is read")
    if isinstance(sniffed, Format):
        reading = await asyncio.to_thread(reference.read, foreign.data)
    is_same_size = difference = None
    if clean is not None and not reading.error:
        is_same_size = (reading.width, reading.height) == (clean.original_width, clean.original_height)
        difference = round(_difference(clean.data, reading), 2)
    return Outcome(
        name=foreign.name,
        sha256=digest,
        format=sniffed.value if sniffed is not None else None,
        refusal=refusal,
        sentence=sentence,
        seconds=round(seconds, 3),
        child_mebibytes=round(watch.most_bytes / 2**20, 1),
        reference_error=reading.error,
        is_same_size=is_same_size,
        difference=difference,
    )


def _difference(data: bytes, reading: Reading) -> float:
    """Return the mean difference, out of 255, between a clean picture and the reference shrunk to the same size."""
    with Image.open(BytesIO(data)) as clean:
        wanted = Image.frombytes("RGB", (reading.width, reading.height), reading.pixels)
        wanted = wanted.resize(clean.size, Image.Resampling.LANCZOS) if wanted.size != clean.size else wanted
        return sum(ImageStat.Stat(ImageChops.difference(clean, wanted)).mean) / 3


class _MemoryWatch:
    """Records the peak resident memory of the decode child, even of one that is killed in the meantime."""

    def __init__(self, decoder: ImageDecoder) -> None:
        self._decoder = decoder
        self._task: asyncio.Task[None] | None = None
        self.most_bytes = 0

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._look_on())

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        self._look()

    async def _look_on(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(0.01)

    def _look(self) -> None:
        if (pid := self._decoder.pid) is not None:
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                self.most_bytes = max(self.most_bytes, _peak_bytes(pid))


def _peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process on Linux, elsewhere its current one."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss
    peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024
