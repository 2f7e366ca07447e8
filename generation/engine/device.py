"""The device and number format that this machine computes best with, and the memory of that device."""

import psutil
import torch

from generation.errors import ExecutorError
from generation.models.memory_plan import BASE_BYTES

BFLOAT16_CAPABILITY = (8, 0)  # Ampere: the first with bfloat16 in its tensor cores


def choose_device(wanted: str) -> torch.device:
    """Return the device: ``auto`` is CUDA, else Apple's MPS, else the CPU; raise ExecutorError for one not here."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, is_here in here.items() if is_here)
    if not here[wanted]:
        raise ExecutorError(f"DEVICE is {wanted}, but torch finds no such device on this machine")
    # With a number, which some of torch's functions about CUDA want to hear.
    return torch.device(wanted) if wanted == "cpu" else torch.device(f"{wanted}:0")


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
            from generation.engine.kernels.probe import bfloat16_pays  # with diffusers, which nobody else needs here

            return torch.bfloat16 if bfloat16_pays(device) else torch.float32


def limit_memory(device: torch.device, max_bytes: int | None) -> None:
    """Let this process take no more than ``max_bytes`` of a card, its CUDA context included; do nothing elsewhere."""
    if device.type == "cuda" and max_bytes is not None:
        _, total = torch.cuda.mem_get_info(device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, (max_bytes - BASE_BYTES["cuda"]) / total), device)


def free_bytes(device: torch.device) -> int:
    """Return what is free on the device now; on a CPU what the machine could hand out without swapping.

    Of a card this process gets no more than ``limit_memory`` has left it.
    """
    match device.type:
        case "cuda":
            free, total = torch.cuda.mem_get_info(device)
            allowed = round(total * torch.cuda.get_per_process_memory_fraction(device))
            return min(free, allowed - torch.cuda.memory_reserved(device))
        case "mps":
            return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        case _:
            return psutil.virtual_memory().available


def keep_float32(dtype: torch.dtype) -> None:
    """Compute convolutions in float32 where that was asked for, and not in TensorFloat-32, which NVIDIA's cards take.

    With its 10 bits a call of Stable Diffusion 1.5's shape said something else by 0.1 % for two rows than for eight.
    """
    torch.backends.cudnn.allow_tf32 = dtype != torch.float32


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
