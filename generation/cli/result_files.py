"""Where a command's results go: names that overwrite neither the input nor earlier results, and complete files."""

import contextlib
import itertools
import os
from pathlib import Path

_SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}


class NoPlaceForResults(Exception):
    """Results cannot be written there; the message is a sentence for the user."""


def result_stems(source: Path, output: Path | None, total: int) -> list[str]:
    """Return the paths of ``total`` pictures in order, without suffix; raise NoPlaceForResults.

    ``output`` is a name or a folder, and the current folder if it is None; in a folder, results are named after
    ``source``.
    """
    output = output or Path()
    if output.is_dir():
        output = _free_name(output / f"{source.stem}-img2img", total)
    elif output.suffix.lower() in _SUFFIXES:
        output = output.with_suffix("")
    if not output.parent.is_dir():
        raise NoPlaceForResults(f"There is no folder {output.parent} to write to; create it first.")
    if not os.access(output.parent, os.W_OK):  # checked before minutes are spent on generating
        raise NoPlaceForResults(f"The folder {output.parent} is not writable; choose another one.")
    stems = _numbered(output, total)
    for stem in stems:
        # A result's suffix is known only once it is encoded, and the input must not be overwritten.
        for path in (Path(f"{stem}{suffix}") for suffix in _SUFFIXES):
            if path.exists() and path.samefile(source):
                raise NoPlaceForResults(f"{path} is the input itself; choose another name for the result.")
    return stems


def write_whole(path: Path, data: bytes) -> None:
    """Write a complete file or leave what was there: a full disk must not leave half a picture."""
    begun = path.with_name(f"{path.name}.part")
    try:
        begun.write_bytes(data)
        begun.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            begun.unlink()
        raise


def _free_name(output: Path, total: int) -> Path:
    """Return a default name, numbered if necessary, so that earlier results are not overwritten."""

    def is_free(name: Path) -> bool:
        return not any(Path(f"{stem}{end}").exists() for stem in _numbered(name, total) for end in _SUFFIXES)

    names = itertools.chain((output,), (Path(f"{output}-{number}") for number in itertools.count(2)))
    return next(name for name in names if is_free(name))


def _numbered(output: Path, total: int) -> list[str]:
    return [str(output)] if total == 1 else [f"{output}-{number}" for number in range(1, total + 1)]
