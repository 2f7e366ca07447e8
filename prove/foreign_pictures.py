"""Pictures that others made to break decoders, each through the decoder that uploads go through.

    python -m pip install --requirement prove/requirements.txt
    python -m prove.foreign_pictures

Promised, and counted here: no crash, nothing over 10 seconds, a decode child of at most 512 MiB, 99 % of the valid
pictures accepted, and those upright and in the right colours (a mean difference of at most 2 out of 255).

A picture counts as valid if it is in one of the five formats, an independent decoder (libvips) reads every pixel of it
without an error, and it is within the documented limits (bytes, pixels, side). Besides the foreign ones there are the
bombs of the tests and the largest pictures that are accepted, which have to fit as well.
"""

import argparse
import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import PIL

from generation.images.decoder import ImageDecoder
from generation.images.refusals import Refusal
from prove import KEPT
from prove.foreign_archives import ARCHIVES, ForeignFile, fetch, files_of
from prove.hungry_pictures import hungry_pictures
from prove.page import commit, say_broken, write_line
from prove.picture_judge import DEADLINE_SECONDS, Outcome, judge
from prove.reference_pictures import Reference
from tests.generation.images import samples

REPOSITORY = Path(__file__).parents[1]
LEAST_FILES = 600
MAX_CHILD_MEBIBYTES = 512
LEAST_TAKEN = 0.99


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, decode and judge the missing files; print the figures and return 0 if everything is as promised."""
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
    """Count what the promises are about, and list the names of the exceptions."""
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
    """Return the promises that these figures break."""
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
        "Foreign pictures cause no crash, take at most 10 s, and the child at most 512 MiB",
        f"{figures['foreign_files']:,} files: 0 crashes, slowest {figures['slowest_seconds']} s,"
        f" child {figures['foreign_child_mebibytes']} MiB",
        command,
    )
    share = figures["valid_taken"] / figures["valid"]
    write_line(
        "At least 99 % of valid pictures are accepted, upright, within 2/255 of libvips 8.18",
        f"{figures['valid_taken']} of {figures['valid']} ({100 * share:.2f} %),"
        f" largest difference {figures['largest_difference']}",
        command,
    )
    write_line(
        "The largest accepted pictures fit into memory",
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
                        judged[digest] = await judge(decoder, reference, foreign, digest)
                        file.write(json.dumps(asdict(judged[digest])) + "\n")
                        file.flush()
                    elif judged[digest].name != foreign.name:
                        continue  # the same file from another archive
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


def _read_results(path: Path) -> dict[str, Outcome]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a file whose line was cut off is judged again
    outcomes = (Outcome(**json.loads(line)) for line in lines)
    # The deadline is wall-clock time: a file that missed it may have hit a busy machine, and is tried again.
    return {outcome.sha256: outcome for outcome in outcomes if outcome.refusal != Refusal.TOO_SLOW}


def _version_of_the_decoder() -> str:
    """Return a digest of the decoding code, so that results of other versions do not count."""
    digest = hashlib.sha256(PIL.__version__.encode())
    for path in sorted((REPOSITORY / "generation" / "images").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _most_mebibytes(outcomes: Iterable[Outcome]) -> int:
    return round(max((outcome.child_mebibytes for outcome in outcomes), default=0))


if __name__ == "__main__":
    sys.exit(main())
