"""The seam between the executor's process and whatever computes in it: one method that matters."""

from typing import Protocol

from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult


class RunCancelled(Exception):
    """The run is no longer wanted; raised through the pipeline, which is the quickest way out of it."""


class OutOfMemory(Exception):
    """The device has not enough memory for this request; the engine has cleaned up and can go on."""


class BrokenOutput(Exception):
    """The pipeline returned NaN or an entirely black picture."""


class DeviceLost(Exception):
    """The device cannot be used any more by this process (CUDA errors stick); only a new process helps."""


class Run(Protocol):
    """What an engine tells about the run that it computes; every method raises RunCancelled when it is to stop."""

    def enter(self, phase: Phase) -> None:
        """Say what is done from here on."""
        ...

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Say that ``step`` of ``total_steps`` denoising steps of all pictures are done."""
        ...


class Engine(Protocol):
    """Something that computes requests, up to ``slots`` at a time, each called from a thread of its own."""

    slots: int
    device: str
    dtype: str

    def preload(self) -> None:
        """Bring the default model into memory; raise ModelUnavailable."""
        ...

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the denoising steps of all pictures together, as far as is known before the model is loaded."""
        ...

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute one request and tell ``run`` how far it is.

        Raises RunCancelled, OutOfMemory, BrokenOutput, DeviceLost, ModelUnavailable, ImageRefused, InvalidRequest.
        """
        ...
