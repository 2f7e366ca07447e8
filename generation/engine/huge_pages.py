"""Weights in pages of 2 MiB: a processor that walks through gigabytes at every step has to look up fewer of them.

Asking for such pages before the weights are there would make loading slower, so they are moved there afterwards.
Source: https://docs.kernel.org/admin-guide/mm/transhuge.html, and madvise(2).
"""

import ctypes
import mmap
import os
import sys
import threading
from pathlib import Path

import psutil

_WANTED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MADV_COLLAPSE = 25  # since Linux 6.1; Python has no name for it
_HUGE = 2 << 20
_FULL = 15 / 16  # of a mapping that is worth it: stacks, and what an allocator keeps in store, hardly lie in memory


def move_to_huge_pages() -> int:
    """Move what lies in memory and in no file to huge pages; return how many bytes lie there now.

    Zero where Linux does not do so: on another system, before 6.1, where an administrator has said never.
    """
    if sys.platform != "linux" or not _WANTED.exists() or "[never]" in _WANTED.read_text():
        return 0
    moved = 0
    for mapping in psutil.Process().memory_maps(grouped=False):
        begin, end = (int(address, 16) for address in mapping.addr.split("-"))
        begin, end = -(-begin // _HUGE) * _HUGE, end // _HUGE * _HUGE
        if mapping.path in ("[anon]", "[heap]") and mapping.rss >= _FULL * mapping.size and begin < end:
            _advise(begin, end - begin, mmap.MADV_HUGEPAGE)  # an older kernel moves them when it has time
            moved += sum(_HUGE for page in range(begin, end, _HUGE) if _advise(page, _HUGE, _MADV_COLLAPSE))
    return moved


def move_in_background() -> None:
    """Move what is in memory now, while nobody else wants the core that does it."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        threading.Thread(target=_move_last, name="huge pages", daemon=True).start()


def _move_last() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    move_to_huge_pages()


def _advise(address: int, size: int, advice: int) -> bool:
    """Tell the kernel about memory, one huge page or many; return whether it did so. Others may have freed it."""
    return ctypes.CDLL(None).madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), advice) == 0
