"""An engine for protocol tests: the prompt is its script, named pipes are its gates.

The words of a prompt are executed in turn: ``load``, ``encode`` and ``decode`` enter a phase, ``step`` reports a step,
``gate:NAME`` waits until the test opens the gate, ``compute:NAME`` opens one itself and computes for ever, and the
others fail in the way that their name says.
"""

import ctypes
import os
import signal
import threading
from pathlib import Path
from typing import Any, NoReturn

from generation.engine.base import BrokenOutput, DeviceLost, OutOfMemory, Run
from generation.errors import ExecutorError, ModelUnavailable
from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture


def create(options: dict[str, Any]) -> "ScriptedEngine":
    """Make the engine; ``folder`` contains the gates, ``slots`` is the number of concurrent runs."""
    if options.get("broken"):
        raise ExecutorError("this engine is broken on purpose")
    if options.get("quotes_options"):
        raise KeyError(f"an error that quotes what it was given: {options}")
    if (death := options.get("dies_at_start")) and not _happened(Path(death)):
        os._exit(3)
    if later := options.get("starts_at"):
        path, times = later
        with Path(path).open("ab") as file:
            file.write(b".")
        if Path(path).stat().st_size < times:
            raise ExecutorError("this engine does not start yet")
    return ScriptedEngine(Path(options["folder"]), options.get("slots", 2), options.get("missing"))


class ScriptedEngine:
    """An engine that does what the prompt says."""

    def __init__(self, folder: Path, slots: int, missing: str | None = None) -> None:
        self._folder, self._missing = folder, missing
        self.slots = slots
        self.device = "none"
        self.dtype = "float32"

    def preload(self) -> None:
        """Do nothing, or fail for a reason that a test has set: there is no model."""
        if self._missing is not None:
            raise ModelUnavailable("demo", self._missing)

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Count the steps of the script."""
        return request.prompt.split().count("step")

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Follow the script."""
        done = 0
        for word in request.prompt.split():
            match word.split(":"):
                case [("load" | "encode" | "decode") as phase]:
                    run.enter(Phase(phase))
                case ["step"]:
                    done += 1
                    run.step(done, self.total_steps(request), b"preview" if done == 1 else None)
                case ["gate", name]:
                    (self._folder / name).read_bytes()  # a named pipe: waits for its writer
                case ["once", name]:
                    if _happened(self._folder / name):
                        break
                case ["compute", name]:
                    _compute_forever(self._folder / name)
                case _:
                    _go_wrong(word)
        picture = Picture(
            data=request.prompt.encode(),
            media_type="image/png",
            width=512,
            height=512,
            native_width=64,
            native_height=64,
            seed=request.seed,
            parameters={"prompt": request.prompt},
        )
        return Img2ImgResult(pictures=(picture,) * request.count, seconds=0.5, device=self.device, dtype=self.dtype)


def _happened(flag: Path) -> bool:
    """Tell whether this was asked for before."""
    if flag.exists():
        return True
    flag.touch()
    return False


def _go_wrong(how: str) -> NoReturn:
    match how:
        case "die":
            os._exit(9)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()  # the signal takes effect a moment later
        case "hang":
            threading.Event().wait()
        case "hold_interpreter":
            ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the interpreter lock while it sleeps
        case "out_of_memory":
            raise OutOfMemory
        case "broken_output":
            raise BrokenOutput
        case "device_lost":
            raise DeviceLost
        case "model_unavailable":
            raise ModelUnavailable("demo", "gated", url="https://example.org")
        case "bug":
            raise RuntimeError("a message that quotes the SECRET prompt")
    raise AssertionError(f"the script has an unknown word: {how}")


def _compute_forever(gate: Path) -> NoReturn:
    import torch

    matrix = torch.rand(2048, 2048)
    gate.write_bytes(b"")
    while True:
        matrix = torch.nn.functional.normalize(matrix @ matrix)
