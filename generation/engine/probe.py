"""A process that reports what torch finds: ``… generation.engine.probe DEVICE DTYPE MAX_VRAM`` prints JSON."""

import json
import sys

import psutil
import torch

from generation.engine.device import choose_device, choose_dtype
from generation.errors import ExecutorError


def main() -> None:
    """Print what the executor would compute with, or why it cannot."""
    try:
        device = choose_device(sys.argv[1])
    except ExecutorError as error:
        print(json.dumps({"error": str(error)}))
        return
    name, memory_bytes = "CPU", psutil.virtual_memory().total
    if device.type == "cuda":
        name, memory_bytes = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[1]
        memory_bytes = min(memory_bytes, int(sys.argv[3]) or memory_bytes)
    elif device.type == "mps":
        name, memory_bytes = "Apple GPU", torch.mps.recommended_max_memory()
    dtype = str(choose_dtype(sys.argv[2], device)).removeprefix("torch.")
    found = {"device": device.type, "dtype": dtype, "name": name, "memory_bytes": memory_bytes}
    print(json.dumps({**found, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
