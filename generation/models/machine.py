"""This machine's memory and accelerators, determined without loading torch."""

import platform
import shutil
import subprocess
from dataclasses import dataclass, replace

import psutil

from generation.models.catalog import ModelEntry

_NVIDIA_SMI_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A graphics card, or the GPU of an Apple chip, which shares the machine's memory."""

    name: str
    memory_bytes: int
    device: str = "cuda"  # torch's name


@dataclass(frozen=True, slots=True)
class Machine:
    """The memory of the machine and its accelerators."""

    memory_bytes: int
    accelerators: tuple[Accelerator, ...]

    def fits(self, entry: ModelEntry) -> bool:
        """Tell whether the catalog's estimate fits the largest accelerator, or main memory if there is none.

        A CPU usually computes in float32, where weights take twice the bytes of the estimate's half precision.
        """
        if self.accelerators:
            return entry.memory_bytes <= max(card.memory_bytes for card in self.accelerators)
        return 2 * entry.memory_bytes <= self.memory_bytes


def this_machine(max_vram: int | None = None) -> Machine:
    """Look up the memory, and ask ``nvidia-smi`` for cards if it is installed.

    At most ``max_vram`` bytes of a card's memory are counted.
    """
    memory_bytes = psutil.virtual_memory().total
    accelerators = tuple(
        replace(card, memory_bytes=min(card.memory_bytes, max_vram or card.memory_bytes)) for card in _nvidia_cards()
    )
    if not accelerators and platform.system() == "Darwin" and platform.machine() == "arm64":
        accelerators = (Accelerator("Apple GPU", memory_bytes, "mps"),)
    return Machine(memory_bytes, accelerators)


def _nvidia_cards() -> tuple[Accelerator, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=_NVIDIA_SMI_SECONDS)
    except (OSError, subprocess.SubprocessError):  # driver broken or not loaded: there is no usable card
        return ()
    return tuple(_card(line) for line in answer.stdout.splitlines() if line.strip())


def _card(line: str) -> Accelerator:
    name, _, mebibytes = line.rpartition(",")
    return Accelerator(name.strip(), int(mebibytes) * 2**20)
