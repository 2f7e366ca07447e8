"""Pages of memory-mapped model files, released as soon as they are not needed instead of when memory gets scarce."""

import ctypes
import mmap
import sys
from pathlib import Path

import torch

_MAPS = Path("/proc/self/maps")


class MappedFiles:
    """The model files that this process has mapped into memory; none are known on systems other than Linux."""

    def __init__(self) -> None:
        """Look up what is mapped now."""
        self._ranges: list[range] = []
        if sys.platform == "linux":
            for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.endswith(".safetensors"):
                    begin, end = (int(address, 16) for address in line.partition(" ")[0].split("-"))
                    self._ranges.append(range(begin, end))

    def release_pages(self, tensor: torch.Tensor) -> None:
        """Release the pages of a tensor that is not used any more, if it lies in a mapped file.

        Only pages that lie entirely within the tensor are released. Reading them again reads the file again, and
        anything written to them would be lost, so this is for weights that are still as they were loaded.
        """
        page = mmap.PAGESIZE
        begin = -(-tensor.data_ptr() // page) * page
        end = (tensor.data_ptr() + tensor.nbytes) // page * page
        if begin < end and any(begin in mapped and end - 1 in mapped for mapped in self._ranges):
            ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)
