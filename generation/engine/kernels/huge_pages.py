"""Weights in pages of 2 MiB: a CPU that reads gigabytes at every step needs fewer page-table lookups.

Asking for such pages before the weights are loaded makes loading three times slower, and moving weights while a picture
is generated slows that down. So they are moved when nobody is being served.
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
_PAGES = _HUGE // mmap.PAGESIZE
_FULL = 15 / 16  # resident, to be worth moving: stacks and an allocator's reserves hardly are


def moves_to_huge_pages() -> Iterator[int]:
    """Move anonymous memory to huge pages, one per iteration; yield how many bytes have been moved so far.

    An iteration takes a few milliseconds. It also ends at a page that is not moved, because there may be thousands of
    them: memory that is only reserved, or all of it on a kernel that does not move pages at once. Nothing is moved on
    systems other than Linux, before Linux 6.1, or where an administrator has disabled huge pages.
    """
    if sys.platform != "linux" or not _WANTED.exists() or "[never]" in _WANTED.read_text():
        return
    moved = 0
    for mapping in psutil.Process().memory_maps(grouped=False):
        if mapping.path in ("[anon]", "[heap]"):
            begin, end = (int(address, 16) for address in mapping.addr.split("-"))
            for page in range(-(-begin // _HUGE) * _HUGE, end // _HUGE * _HUGE, _HUGE):
                # An older kernel takes the first advice and moves them when it has time.
                if _is_full(page) and _advise(page, mmap.MADV_HUGEPAGE) and _advise(page, _MADV_COLLAPSE):
                    moved += _HUGE
                yield moved


def _is_full(address: int) -> bool:
    """Tell whether nearly all of a huge page is resident already, so that moving it takes no more memory."""
    there = (ctypes.c_ubyte * _PAGES)()
    return _call("mincore", address, there) and sum(each & 1 for each in there) >= _FULL * _PAGES


def _advise(address: int, advice: int) -> bool:
    return _call("madvise", address, ctypes.c_int(advice))


def _call(name: str, address: int, argument: object) -> bool:
    """Make a system call about a huge page; return whether it succeeded. The memory may have been freed by now."""
    return getattr(ctypes.CDLL(None), name)(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE), argument) == 0
