"""How much device memory this process holds."""

import sys


def device_memory_bytes() -> int | None:
    """Return the bytes that torch has reserved on CUDA devices or on Apple's, or None on a CPU.

    Called from a thread that must never block, so torch is looked up but never imported here: that would take seconds.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is None:
            return None
        if torch.cuda.is_initialized():
            return sum(torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count()))
        return torch.mps.driver_allocated_memory() if torch.backends.mps.is_available() else None
    except AttributeError:  # another thread is still importing it
        return None
