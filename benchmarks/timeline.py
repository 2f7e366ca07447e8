"""Where the time of a whole picture goes, phase by phase, as a request's run is told of them.

    python -m benchmarks timeline --side 256 --threads 1
    python -m benchmarks timeline --side 512 --compile        on a card

Every picture and every prompt is new. Work on a GPU is submitted one piece ahead, so the last piece of a phase counts
towards the next. Measured in wall-clock time, because a phase is time that somebody waits.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.image import wait_until_compiled
from benchmarks.measuring import Measured, arguments, report
from benchmarks.model_files import catalog
from benchmarks.requests_made import PROMPT, request
from generation.engine.device import choose_device, choose_dtype
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.hub import Hub
from generation.phases import Phase

MODEL = "dpm++2m-karras"
WARM_UPS = 2  # the first loads the model and on CUDA captures its calls, the second captures the compiled ones
PARTS = {
    "its file is read and fitted": ("begin", Phase.ENCODE),
    "text and picture are encoded, first step": (Phase.ENCODE, "first step"),
    "the other steps": ("first step", Phase.DECODE),
    "it is decoded and checked": (Phase.DECODE, "pixels"),
    "its file is written": ("pixels", "end"),
    "all of it": ("begin", "end"),
}


class NotedRun:
    """A run that records when each phase began."""

    def __init__(self) -> None:
        self.moments = dict[Phase | str, float]()
        self.note("begin")

    def note(self, what: Phase | str) -> None:
        """Record that something begins now, unless it was recorded before."""
        self.moments.setdefault(what, time.perf_counter())

    def enter(self, phase: Phase) -> None:
        """Record a phase; decoding is entered a second time once the pixels are there."""
        self.note("pixels" if phase is Phase.DECODE and Phase.DECODE in self.moments else phase)

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Record the first step."""
        self.note("first step")

    def seconds(self, part: str) -> float:
        """Return how long a part of the picture took."""
        begin, end = PARTS[part]
        return self.moments[end] - self.moments[begin]


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        ("--side", {"type": int, "default": 256, "help": "pixels"}),
        ("--steps", {"type": int, "default": 20, "help": "of which strength .75 runs 15"}),
        ("--compile", {"action": "store_true", "help": "let the engine compile its calls before"}),
        ("--model", {"type": Path, "help": "a folder of diffusers' layout instead of random weights"}),
        values=values,
    )
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    runs: list[NotedRun] = []
    with tempfile.TemporaryDirectory() as data_dir:
        engine = DiffusersEngine(
            catalog=catalog(dtype, options.side, options.model),
            default_model=MODEL,
            data_dir=Path(data_dir),
            hub=Hub(),
            device=device,
            dtype=dtype,
            compiler="inductor" if options.compile else None,
        )
        for number in range(WARM_UPS + options.repeats):
            prompt = f"{PROMPT}, number {number}"
            wanted = request(options.side, MODEL, number, prompt=prompt, num_inference_steps=options.steps)
            runs.append(NotedRun())
            engine.run(wanted, runs[-1])
            runs[-1].note("end")
            wait_until_compiled(engine)
        engine.close()
    took = {part: Measured(tuple(run.seconds(part) for run in runs[WARM_UPS:])) for part in PARTS}
    whole = took["all of it"].median
    report(
        f"timeline: Stable Diffusion 1.5's shape at {options.side} pixels, {options.steps} steps, {dtype}",
        ("a picture of which", "seconds of the clock", "share"),
        [(part, seconds, f"{seconds.median / whole:.0%}") for part, seconds in took.items()],
        options.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
