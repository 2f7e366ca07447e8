"""The lines of ``docs/reliability.md``: what is promised, what was measured, by which command, when and where."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from prove import BROKEN

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_line(promise: str, figure: str, command: str, *, page: Path = PAGE) -> None:
    """Write one line into the page's table, replacing the one with the same promise, or as the last.

    ``promise`` names what is kept and never changes with the figure; ``command`` measures it again.
    """
    print(f"{promise}: {figure}")
    line = _row(promise, figure, f"`{command}`", f"{datetime.now(UTC):%Y-%m-%d}, {commit()}, {machine()}")
    text = page.read_text(encoding="utf-8")
    head, rows, tail = _taken_apart(text)
    places = [index for index, row in enumerate(rows) if row.startswith(_row(promise)[:-1])]
    if places:
        rows[places[0]] = line
    else:
        rows.append(line)
    whole = "\n".join((head + BEGIN, *rows, END + tail))
    partial = page.with_suffix(".partial")
    partial.write_text(whole, encoding="utf-8")
    partial.replace(page)


def say_broken(promises: Iterable[object]) -> int:
    """Print the broken promises; return the status of a failed proof, which writes no line into the page."""
    for promise in promises:
        print(f"BROKEN: {promise}", file=sys.stderr)
    return BROKEN


def commit() -> str:
    """Return the measured commit, with ``-dirty`` if files differ from it."""
    described = _output(["git", "rev-parse", "--short=7", "HEAD"])
    changed = _output(["git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs"])
    return f"{described}-dirty" if changed else described or "unknown"


def machine() -> str:
    """Describe the machine in a few words: cores, CPU, memory, system."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    gibibytes = round(psutil.virtual_memory().total / 2**30)
    return f"{cores} cores {_processor()}, {gibibytes} GiB, {platform.system()}"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split()[:3])
    return platform.machine()


def _taken_apart(text: str) -> tuple[str, list[str], str]:
    head, begin, rest = text.partition(BEGIN)
    rows, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has lost its marks {BEGIN} and {END}")
    return head, rows.strip("\n").split("\n"), tail


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _output(command: list[str]) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()
