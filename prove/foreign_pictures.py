"""Pictures that others made to break decoders, each through the decoder that uploads go through.

    python -m pip install --requirement prove/requirements.txt
    python -m prove.foreign_pictures

What is promised, and what this counts: no crash, nothing over 10 seconds, a decode child of at most 512 MiB, 99 % of
the valid pictures taken, and those upright and in the right colours (a mean difference of at most 2 of 255).

A picture counts as valid if it is in one of the five formats, an independent decoder (libvips) reads every pixel of it
without an error, and it is within the limits that are told to everybody (bytes, pixels, side). To the foreign ones come
the bombs of the tests and the largest pictures that are taken, which have to fit as well.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL
import psutil
from PIL import Image, ImageChops, ImageStat

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.formats import Format, sniff
from generation.images.refusals import Refusal
from generation.sentences import error_sentence
from prove import KEPT
from prove.foreign_archives import ARCHIVES, ForeignFile, fetch, files_of
from prove.hungry_pictures import hungry_pictures
from prove.page import commit, say_broken, write_line
from prove.reference_pictures import Reading, Reference
from tests.generation.images import samples

REPOSITORY = Path(__file__).parents[1]
LEAST_FILES = 600
DEADLINE_SECONDS = 10.0
MAX_CHILD_MEBIBYTES = 512
LEAST_TAKEN = 0.99
MAX_DIFFERENCE = 2.0
# Refusals of what is valid but more than is taken of anybody.
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
        """Tell whether the file was generated here rather than found elsewhere."""
        return self.name.startswith("own ")

    @property
    def is_picture(self) -> bool:
        """Tell whether the file is of one of the formats that are read."""
        return self.format in set(Format)

    @property
    def is_valid(self) -> bool:
        """Tell whether the picture ought to be taken; the own ones are bombs and damaged."""
        return not self.is_own and self.is_picture and not self.reference_error and self.refusal not in LIMITS

    @property
    def is_true(self) -> bool:
        """Tell whether a picture that was taken came out upright and in its colours."""
        return bool(self.is_same_size) and self.difference is not None and self.difference <= MAX_DIFFERENCE


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, decode and judge what has not been judged yet; print the figures and return 0 if all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m prove.foreign_pictures")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "prove" / "foreign_pictures")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"{_version_of_the_decoder()}.jsonl"
    missing, outcomes = asyncio.run(_judge_all(folder, results))
    figures = figures_of(outcomes)
    broken = broken_promises(figures)
    print(
        json.dumps(
            {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": commit(), "missing": missing, **figures}, indent=2
        )
    )
    print(f"results file: {results}", file=sys.stderr)
    if broken:
        return say_broken(broken)
    _write_lines(figures)
    return KEPT


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count what the promises are about; the names of the exceptions stand beside the counts."""
    valid = [outcome for outcome in outcomes if outcome.is_valid]
    taken = [outcome for outcome in valid if outcome.refusal is None]
    hungry = [outcome for outcome in outcomes if outcome.name.startswith("own hungry ")]
    return {
        "files": len(outcomes),
        "foreign_files": sum(not outcome.is_own for outcome in outcomes),
        "foreign_pictures": sum(not outcome.is_own and outcome.is_picture for outcome in outcomes),
        "by_format": dict(Counter(outcome.format or "unknown" for outcome in outcomes).most_common()),
        "refused": dict(Counter(outcome.refusal for outcome in outcomes if outcome.refusal).most_common()),
        "hungry_refused": [outcome.name for outcome in hungry if outcome.refusal],
        "crashes": [outcome.name for outcome in outcomes if outcome.refusal == Refusal.CRASHED],
        "too_slow": [outcome.name for outcome in outcomes if (outcome.seconds or 0) > DEADLINE_SECONDS],
        "slowest_seconds": round(max(outcome.seconds or 0 for outcome in outcomes), 2),
        "largest_child_mebibytes": round(max(outcome.child_mebibytes for outcome in outcomes)),
        "foreign_child_mebibytes": _most_mebibytes(outcome for outcome in outcomes if not outcome.is_own),
        "hungry_child_mebibytes": _most_mebibytes(hungry),
        "hungry_seconds": round(max((outcome.seconds or 0 for outcome in hungry), default=0), 1),
        "without_sentence": [outcome.name for outcome in outcomes if outcome.refusal and not outcome.sentence],
        "valid": len(valid),
        "valid_taken": len(taken),
        "valid_refused": {outcome.name: outcome.refusal for outcome in valid if outcome.refusal is not None},
        "looking_wrong": {outcome.name: outcome.difference for outcome in taken if not outcome.is_true},
        "largest_difference": max((outcome.difference or 0 for outcome in taken if outcome.is_true), default=0),
    }


def broken_promises(figures: dict[str, Any]) -> list[str]:
    """Return the promises that these figures do not keep."""
    kept = {
        f"at least {LEAST_FILES} foreign files": figures["foreign_files"] >= LEAST_FILES,
        "the largest pictures of every kind taken": not figures["hungry_refused"],
        "no crash": not figures["crashes"],
        f"nothing over {DEADLINE_SECONDS:g} s": not figures["too_slow"],
        f"a child of at most {MAX_CHILD_MEBIBYTES} MiB": figures["largest_child_mebibytes"] <= MAX_CHILD_MEBIBYTES,
        "a sentence for each refusal": not figures["without_sentence"],
        f"{LEAST_TAKEN:.0%} of the valid pictures taken": figures["valid_taken"] >= LEAST_TAKEN * figures["valid"] > 0,
        "all of them upright and in their colours": not figures["looking_wrong"],
    }
    return [promise for promise, is_kept in kept.items() if not is_kept]


def _write_lines(figures: dict[str, Any]) -> None:
    command = "python -m prove.foreign_pictures"
    write_line(
        "Foreign pictures: no crash, nothing over 10 s, child ≤ 512 MiB",
        f"{figures['foreign_files']:,} files: 0 crashes, slowest {figures['slowest_seconds']} s,"
        f" child {figures['foreign_child_mebibytes']} MiB",
        command,
    )
    share = figures["valid_taken"] / figures["valid"]
    write_line(
        "≥ 99 % of valid pictures taken, upright, within 2/255 (reference: libvips 8.18)",
        f"{figures['valid_taken']} of {figures['valid']} ({100 * share:.2f} %),"
        f" largest difference {figures['largest_difference']}",
        command,
    )
    write_line(
        "The largest accepted pictures fit",
        f"peak {figures['hungry_child_mebibytes']} MiB, at most {figures['hungry_seconds']} s",
        command,
    )


async def _judge_all(folder: Path, results: Path) -> tuple[list[str], list[Outcome]]:
    judged = _read_results(results)
    missing: list[str] = []
    outcomes: list[Outcome] = []
    reference = Reference()
    try:
        async with ImageDecoder(deadline_seconds=DEADLINE_SECONDS) as decoder:
            with results.open("a", encoding="utf-8") as file:
                for foreign in _all_files(folder, missing):
                    digest = hashlib.sha256(foreign.data).hexdigest()
                    if digest not in judged:
                        judged[digest] = await _judge(decoder, reference, foreign, digest)
                        file.write(json.dumps(asdict(judged[digest])) + "\n")
                        file.flush()
                    elif judged[digest].name != foreign.name:
                        continue  # the same file in another archive
                    outcomes.append(judged[digest])
                    if len(outcomes) % 100 == 0:
                        print(f"{len(outcomes)} files", file=sys.stderr, flush=True)
    finally:
        reference.close()
    return missing, outcomes


def _all_files(folder: Path, missing: list[str]) -> Iterator[ForeignFile]:
    for archive in ARCHIVES:
        path = fetch(archive, folder)
        if path is None:
            missing.append(archive.package)
            continue
        yield from files_of(archive, path)
    for sample in samples.bad():
        yield ForeignFile(f"own {sample.name}", sample.data)
    for name, data in hungry_pictures():
        yield ForeignFile(f"own hungry {name}", data)


async def _judge(decoder: ImageDecoder, reference: Reference, foreign: ForeignFile, digest: str) -> Outcome:
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
    """Return the mean difference of 255 between a clean picture and the reference, shrunk to the same size."""
    with Image.open(BytesIO(data)) as clean:
        wanted = Image.frombytes("RGB", (reading.width, reading.height), reading.pixels)
        wanted = wanted.resize(clean.size, Image.Resampling.LANCZOS) if wanted.size != clean.size else wanted
        return sum(ImageStat.Stat(ImageChops.difference(clean, wanted)).mean) / 3


class _MemoryWatch:
    """Notes the most memory that a decode child has had resident, also of one that is killed meanwhile."""

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
    """Return the most that a process has ever had resident where Linux tells, elsewhere what it has now."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss
    peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024


def _read_results(path: Path) -> dict[str, Outcome]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what is cut off in its last line is judged again
    outcomes = (Outcome(**json.loads(line)) for line in lines)
    # The deadline is one of the clock: what missed it may have met a busy machine, and is tried again.
    return {outcome.sha256: outcome for outcome in outcomes if outcome.refusal != Refusal.TOO_SLOW}


def _version_of_the_decoder() -> str:
    """Return a digest of what decides about pictures, so that results of other versions do not count."""
    digest = hashlib.sha256(PIL.__version__.encode())
    for path in sorted((REPOSITORY / "generation" / "images").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _most_mebibytes(outcomes: Iterable[Outcome]) -> int:
    return round(max((outcome.child_mebibytes for outcome in outcomes), default=0))


if __name__ == "__main__":
    sys.exit(main())
