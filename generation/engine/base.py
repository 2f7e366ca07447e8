"""The interface between the executor process and the engine inside it; ``Engine.run`` is the method that matters."""

from typing import Protocol

from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult


class RunCancelled(Exception):
    """The run was cancelled; raised through the pipeline, which is the quickest way out of it."""


class OutOfMemory(Exception):
    """The device does not have enough memory for this request; the engine has cleaned up and can carry on."""


class BrokenOutput(Exception):
    """The pipeline returned NaN or an entirely black picture."""


class DeviceLost(Exception):
    """The device is unusable for the rest of this process (CUDA errors are sticky); only a new process helps."""


class Run(Protocol):
    """An engine's progress reports about one run; every method raises RunCancelled when the run should stop."""

    def enter(self, phase: Phase) -> None:
        """Report the phase that begins now."""
        ...

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Report that ``step`` of ``total_steps`` denoising steps are done, counted over all pictures."""
        ...


class Engine(Protocol):
    """Something that computes requests, up to ``slots`` at a time, each on a thread of its own."""

    slots: int
    device: str
    dtype: str

    def preload(self) -> None:
        """Load the default model; raise ModelUnavailable."""
        ...

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the denoising steps of all pictures together, as far as is known before its files are here."""
        ...

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute one request and report its progress to ``run``.

        Raises RunCancelled, OutOfMemory, BrokenOutput, DeviceLost, ModelUnavailable, ImageRefused, InvalidRequest.
        """
        ...
