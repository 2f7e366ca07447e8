"""Shared by the compute benchmarks: alternating measurements, medians with their range, a table and its JSON."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Measured:
    """What repeated work took, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.3g} ({min(self.seconds):.3g}–{max(self.seconds):.3g})"


def clock() -> float:
    """Return wall-clock seconds with a GPU, otherwise the CPU seconds that this process has used on all cores.

    When other processes share the machine, CPU seconds still measure only this work.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock_now()


def clock_now() -> float:
    """Return the same seconds without synchronizing with the GPU, which would disturb work that keeps it busy."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def alternate(
    works: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_ups: int = 1,
    prepare: Callable[[str], object] = lambda _: None,
) -> dict[str, Measured]:
    """Measure each work ``repeats`` times, alternately, so that any disturbance affects all alike.

    ``prepare`` receives the name of what is measured next; its own time is not measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm_ups + repeats):
        for name, work in works.items():
            prepare(name)
            began = clock()
            work()
            if number >= warm_ups:
                seconds[name].append(clock() - began)
    return {name: Measured(tuple(values)) for name, values in seconds.items()}


def speedups(usual: Measured, ours: Measured) -> Measured:
    """Return how many times as fast ours is, pair by pair."""
    return Measured(tuple(a / b for a, b in zip(usual.seconds, ours.seconds, strict=True)))


def arguments(description: str | None, *more: tuple[str, dict[str, Any]], values: Sequence[str]) -> argparse.Namespace:
    """Parse the options that every benchmark takes and the additional ones of this benchmark."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="pairs that count; one before warms up")
    parser.add_argument("--threads", type=int, help="threads that torch may use; default: as many as it likes")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    for name, options in more:
        parser.add_argument(name, **options)
    options = parser.parse_args(values)
    if options.threads:
        torch.set_num_threads(options.threads)
    return options


def report(name: str, header: Sequence[str], rows: Iterable[Sequence[object]], path: Path | None = None) -> None:
    """Print the table, followed by the same as JSON; also write the JSON to ``path`` if given."""
    texts = [[str(cell) if not isinstance(cell, float) else f"{cell:.3g}" for cell in row] for row in rows]
    print(f"\n{name}, on {machine_name()}\n")
    for cells in (header, ["---"] * len(header), *texts):
        print("| " + " | ".join(cells) + " |")
    figures = {
        "benchmark": name,
        "machine": machine(),
        "rows": [dict(zip(header, text, strict=True)) for text in texts],
    }
    print("\n" + json.dumps(figures, ensure_ascii=False), flush=True)
    if path is not None:
        path.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Describe the machine that was measured."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "clock": "wall" if torch.cuda.is_available() else "CPU seconds of the process",
    }


def machine_name() -> str:
    """Return a short description: the device's name and the number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{cpu_name()}, {torch.get_num_threads()} threads, CPU seconds"


def cpu_name() -> str:
    """Return the CPU's name, as far as the system reveals it."""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
        name = fields.get("model name", platform.machine()).strip()
        has = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f") if flag in fields.get("flags", "").split()]
        return f"{name} ({has[0]})" if has else name
    return platform.processor() or platform.machine()
