"""What torch's errors mean for the requests being served."""

import torch

from generation.engine.base import DeviceLost, OutOfMemory

# The only signs that torch gives when an allocation outside its own CUDA allocator fails: on the CPU and on Apple's
# devices, of CUDA's pinned memory, in cuBLAS and in cuDNN. The process can carry on after them.
_SHORT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_DEVICE_LOST = ("CUDA error", "cuDNN error", "CUBLAS_STATUS")


def fault_of(error: Exception) -> type[OutOfMemory] | type[DeviceLost] | None:
    """Return what an error stands for, or None if it concerns only the request.

    All other CUDA errors are sticky: every later call fails until a new process creates a new context.
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
