"""Weights in pages of 2 MiB: a processor that walks through gigabytes at every step has to look up fewer of them.

Asking for such pages before the weights are there makes loading three times slower, and moving them beside a picture
makes that one slower; so they are moved when nobody is being served.
Source: https://docs.kernel.org/admin-guide/mm/transhuge.html, and madvise(2).
"""

import ctypes
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

_WANTED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MADV_COLLAPSE = 25  # since Linux 6.1; Python has no name for it
_HUGE = 2 << 20
_FULL = 15 / 16  # of a mapping that is worth it: stacks, and what an allocator keeps in store, hardly lie in memory


def moves_to_huge_pages() -> Iterator[int]:
    """Move what lies in memory and in no file to huge pages, one at each turn; yield how many bytes lie there now.

    A turn takes some milliseconds. Nothing is moved on a system other than Linux, before 6.1, or where an administrator
    has said never.
    """
    if sys.platform != "linux" or not _WANTED.exists() or "[never]" in _WANTED.read_text():
        return
    moved = 0
    for mapping in psutil.Process().memory_maps(grouped=False):
        begin, end = (int(address, 16) for address in mapping.addr.split("-"))
        begin, end = -(-begin // _HUGE) * _HUGE, end // _HUGE * _HUGE
        if mapping.path not in ("[anon]", "[heap]") or mapping.rss < _FULL * mapping.size or begin >= end:
            continue
        _advise(begin, end - begin, mmap.MADV_HUGEPAGE)  # an older kernel moves them when it has time
        for page in range(begin, end, _HUGE):
            if _advise(page, _HUGE, _MADV_COLLAPSE):
                moved += _HUGE
                yield moved


def _advise(address: int, size: int, advice: int) -> bool:
    """Tell the kernel about memory, one huge page or many; return whether it did so. Others may have freed it."""
    return ctypes.CDLL(None).madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), advice) == 0
