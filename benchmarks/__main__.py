"""Run the short set of benchmarks, or one with its options.

    python -m benchmarks                       the short set, some minutes
    python -m benchmarks --list                all benchmarks
    python -m benchmarks step --side 512       one of them; --help lists its options

The results are in docs/performance.md.
"""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# As in the executor process: waiting threads sleep, because the machine may be shared. Libraries stay silent.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "ORT_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package with ``main(values)``; ``short`` is its options in the short set, None if not in it."""

    name: str
    shows: str
    short: tuple[str, ...] | None = None


BENCHMARKS = (
    Benchmark("acknowledgements", "how quickly commands are acknowledged while a picture is painted", ()),
    Benchmark("step", "a call of the denoiser against diffusers' own in float32", ("--side", "128", "--repeats", "2")),
    Benchmark("samplers", "how few calls of the denoiser a sampler needs, where the end is known exactly"),
    Benchmark("plan", "the memory plan's estimate against the measured peak"),
    Benchmark("batching", "requests side by side against one after another", ("--requests", "24", "--repeats", "1")),
    Benchmark("limit", "the share of the machine's measured peak that a call reaches", ("--side", "128")),
    Benchmark("image", "a whole picture against the original recipe"),
    Benchmark("timeline", "where the time of a whole picture goes"),
    Benchmark("peers", "a whole picture against what others have, as far as it is installed"),
    Benchmark("event_loop", "how late the bot's event loop wakes up while the executor works", ()),
    Benchmark("memory", "the most memory that one picture of 512 pixels takes"),
    Benchmark("card", "what a small NVIDIA card can paint"),
    Benchmark("cold_start", "from the start of a process to the first sign of a picture"),
)


def main(values: Sequence[str]) -> int:
    """Run what was asked for; return 0 if everything succeeded."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if values and values[0] in [benchmark.name for benchmark in BENCHMARKS]:
        sys.argv[0] = f"python -m benchmarks {values[0]}"  # the program name in its help
        return importlib.import_module(f"benchmarks.{values[0]}").main(values[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure ratios; see docs/performance.md."
    )
    parser.add_argument("name", nargs="?", choices=[benchmark.name for benchmark in BENCHMARKS], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="only say which benchmarks there are")
    if parser.parse_args(values).list:
        for benchmark in BENCHMARKS:
            print(f"{benchmark.name:18} {benchmark.shows}")
        return 0
    # Each in its own process, so that what one leaves in memory does not affect the next.
    short = [[benchmark.name, *benchmark.short] for benchmark in BENCHMARKS if benchmark.short is not None]
    return max(subprocess.run([sys.executable, "-m", "benchmarks", *each], check=False).returncode for each in short)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
