"""An engine that pauses after a request's step for as long as a file in the bot's folder names that step.

So a test has all the time it needs in the middle of a job, on any machine, even if the job is small.
"""

import time
from pathlib import Path
from typing import Any

from generation.engine import start
from generation.engine.base import Engine, Run
from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult

HOLD = "hold"
_LOOK_SECONDS = 0.01


def create_engine(options: dict[str, Any]) -> "PatientEngine":
    """Create the real engine, wrapped so that it can be held."""
    return PatientEngine(start.create_engine(options), Path(options["data_dir"]))


class PatientEngine:
    """A wrapper around another engine, and the file that it watches."""

    def __init__(self, engine: Engine, data_dir: Path) -> None:
        self._engine = engine
        self._hold = data_dir / HOLD
        self.slots = engine.slots
        self.device = engine.device
        self.dtype = engine.dtype

    def preload(self) -> None:
        """Load the default model."""
        self._engine.preload()

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return a request's number of steps."""
        return self._engine.total_steps(request)

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Run a request, which can be held."""
        return self._engine.run(request, _PatientRun(run, self._hold))


class _PatientRun:
    def __init__(self, run: Run, hold: Path) -> None:
        self._run = run
        self._hold = hold

    def enter(self, phase: Phase) -> None:
        self._run.enter(phase)

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        self._run.step(step, total_steps, preview)
        while step == self._held_step():
            time.sleep(_LOOK_SECONDS)
            self.enter(Phase.DENOISE)  # a sign of life; a cancelled request leaves here

    def _held_step(self) -> int | None:
        try:
            return int(self._hold.read_text())
        except FileNotFoundError:
            return None
