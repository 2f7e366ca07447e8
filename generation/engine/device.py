"""The device and dtype that this machine computes best with, and the memory of that device."""

import psutil
import torch

from generation.errors import ExecutorError
from generation.models.memory_plan import BASE_BYTES

BFLOAT16_CAPABILITY = (8, 0)  # Ampere, the first architecture with bfloat16 tensor cores


def choose_device(wanted: str) -> torch.device:
    """Return the device: ``auto`` is CUDA, else Apple's MPS, else the CPU; raise ExecutorError for a missing one."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, is_here in here.items() if is_here)
    if not here[wanted]:
        raise ExecutorError(f"DEVICE is {wanted}, but torch finds no such device on this machine")
    # With an index, because some functions of torch.cuda require one.
    return torch.device(wanted) if wanted == "cpu" else torch.device(f"{wanted}:0")


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Return the dtype; ``auto`` is the fastest that the hardware supports without degrading the picture."""
    if wanted != "auto":
        return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[wanted]
    match device.type:
        case "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(device) >= BFLOAT16_CAPABILITY else torch.float16
        case "mps":
            return torch.float16
        case _:
            from generation.engine.kernels.probe import bfloat16_pays  # imports diffusers, which only this branch needs

            return torch.bfloat16 if bfloat16_pays(device) else torch.float32


def limit_memory(device: torch.device, max_bytes: int | None) -> None:
    """Cap this process's GPU memory at ``max_bytes``, its CUDA context included; do nothing on other devices."""
    if device.type == "cuda" and max_bytes is not None:
        _, total = torch.cuda.mem_get_info(device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, (max_bytes - BASE_BYTES["cuda"]) / total), device)


def free_bytes(device: torch.device) -> int:
    """Return the bytes free on the device now; on a CPU, what the machine can allocate without swapping.

    On a GPU, never more than ``limit_memory`` leaves to this process.
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
    """Disable TensorFloat-32 in convolutions if ``dtype`` is float32; NVIDIA GPUs use it by default.

    With its 10-bit mantissa, the result of a call with Stable Diffusion 1.5's shapes differed by 0.1 % between two
    rows and eight.
    """
    torch.backends.cudnn.allow_tf32 = dtype != torch.float32


def describe_device(device: torch.device) -> str:
    """Return the device type, with the GPU's name where there is one."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def wait_for(device: torch.device) -> None:
    """Wait until an asynchronous device has finished its queued work; raise errors that occurred in it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> None:
    """Give memory that torch has cached but nothing uses back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
