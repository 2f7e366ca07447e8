"""What an error of torch means for those who wait."""

import torch

from generation.engine.base import DeviceLost, OutOfMemory

# The only sign that torch gives of memory that the CPU's allocator did not get.
_CPU_ALLOCATOR = "DefaultCPUAllocator"


def fault_of(error: Exception) -> type[OutOfMemory] | type[DeviceLost] | None:
    """Return what an error stands for, or None if it is the request's own.

    Every other CUDA error sticks to the process: each later call fails, until a new process makes a new context.
    Source: https://docs.nvidia.com/cuda/cuda-runtime-api/ (errors marked "the process must be terminated").
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemory
    if isinstance(error, torch.AcceleratorError):
        return DeviceLost
    if isinstance(error, RuntimeError):
        text = str(error)
        if _CPU_ALLOCATOR in text or "MPS backend out of memory" in text:
            return OutOfMemory
        if "CUDA error" in text or "cuDNN error" in text or "CUBLAS_STATUS" in text:
            return DeviceLost
    return None
