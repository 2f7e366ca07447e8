"""Which device and number format this machine computes best with."""

import torch

from generation.engine.kernel_probe import bfloat16_pays
from generation.errors import ExecutorError

BFLOAT16_CAPABILITY = (8, 0)  # Ampere: the first with bfloat16 in its tensor cores


def choose_device(wanted: str) -> torch.device:
    """Return the device: ``auto`` is CUDA, else Apple's MPS, else the CPU; raise ExecutorError for one not here."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, is_here in here.items() if is_here)
    if not here[wanted]:
        raise ExecutorError(f"DEVICE is {wanted}, but torch finds no such device on this machine")
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Return the number format: ``auto`` is the quickest that the device has in hardware and that keeps the picture."""
    if wanted != "auto":
        return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[wanted]
    match device.type:
        case "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(device) >= BFLOAT16_CAPABILITY else torch.float16
        case "mps":
            return torch.float16
        case _:
            return torch.bfloat16 if bfloat16_pays(device) else torch.float32


def describe_device(device: torch.device) -> str:
    """Return the device's type, with the card's name where there is one."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def wait_for(device: torch.device) -> None:
    """Wait until a device that works on its own has done what it was told; raise what went wrong meanwhile."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> None:
    """Give memory that nothing refers to any more back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
