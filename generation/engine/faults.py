"""What an error of torch means for those who wait."""

import torch

from generation.engine.base import DeviceLost, OutOfMemory

# The only signs that torch gives of memory that others than its own allocator of CUDA memory did not get: those of the
# CPU and of Apple's devices, CUDA's for pinned memory, cuBLAS and cuDNN. The process can go on after them.
_SHORT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_DEVICE_LOST = ("CUDA error", "cuDNN error", "CUBLAS_STATUS")


def fault_of(error: Exception) -> type[OutOfMemory] | type[DeviceLost] | None:
    """Return what an error stands for, or None if it is the request's own.

    Every CUDA error but those sticks to the process: each later call fails, until a new process makes a new context.
    Source: https://docs.nvidia.com/cuda/cuda-runtime-api/ (errors marked "the process must be terminated").
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemory
    if isinstance(error, RuntimeError):
        text = str(error)
        if any(sign in text for sign in _SHORT_OF_MEMORY):
            return OutOfMemory
        if isinstance(error, torch.AcceleratorError) or any(sign in text for sign in _DEVICE_LOST):
            return DeviceLost
    return None
