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
_PAGES = _HUGE // mmap.PAGESIZE
_FULL = 15 / 16  # of a page that is worth it: stacks, and what an allocator keeps in store, hardly lie in memory


def moves_to_huge_pages() -> Iterator[int]:
    """Move what lies in memory and in no file to huge pages, one at each turn; yield how many bytes lie there now.

    A turn takes some milliseconds. Nothing is moved on a system other than Linux, before 6.1, or where an administrator
    has said never.
    """
    if sys.platform != "linux" or not _WANTED.exists() or "[never]" in _WANTED.read_text():
        return
    moved = 0
    for mapping in psutil.Process().memory_maps(grouped=False):
        if mapping.path in ("[anon]", "[heap]"):
            begin, end = (int(address, 16) for address in mapping.addr.split("-"))
            for page in range(-(-begin // _HUGE) * _HUGE, end // _HUGE * _HUGE, _HUGE):
                # An older kernel moves them when it has time.
                if _is_full(page) and _advise(page, mmap.MADV_HUGEPAGE) and _advise(page, _MADV_COLLAPSE):
                    moved += _HUGE
                    yield moved


def _is_full(address: int) -> bool:
    """Tell whether nearly all of a huge page lies in memory already, so that moving it takes no more of that."""
    there = (ctypes.c_ubyte * _PAGES)()
    return _call("mincore", address, there) and sum(each & 1 for each in there) >= _FULL * _PAGES


def _advise(address: int, advice: int) -> bool:
    return _call("madvise", address, ctypes.c_int(advice))


def _call(name: str, address: int, argument: object) -> bool:
    """Ask the kernel about a huge page; return whether it answered. Others may have freed the memory meanwhile."""
    return getattr(ctypes.CDLL(None), name)(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE), argument) == 0
