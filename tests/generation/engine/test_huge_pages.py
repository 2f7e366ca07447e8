"""Huge pages: what is in memory moves there with every byte, and what is not stays away."""

import mmap

import psutil
import pytest
import torch

from generation.engine import huge_pages
from generation.engine.huge_pages import moves_to_huge_pages
from tests.generation.engine.test_mapped_files import linux_only

MIB = 1 << 20


@linux_only
def test_what_is_in_memory_moves_and_keeps_every_byte() -> None:
    tensor = torch.arange(8 * MIB, dtype=torch.int32)
    before = tensor.clone()
    if not list(moves_to_huge_pages()):
        pytest.skip("this kernel does not move pages when it is told to")
    begin, end = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
    assert huge_bytes(begin, end) > tensor.nbytes / 2
    assert torch.equal(tensor, before)


@linux_only
def test_what_is_hardly_in_memory_is_not_brought_there() -> None:
    with mmap.mmap(-1, 256 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as reserved:
        reserved[0] = 1
        before = psutil.Process().memory_info().rss
        list(moves_to_huge_pages())
        assert psutil.Process().memory_info().rss - before < 128 * MIB


def test_nothing_is_moved_where_the_administrator_said_never(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "enabled"
    said.write_text("always madvise [never]\n")
    monkeypatch.setattr(huge_pages, "_WANTED", said)
    monkeypatch.setattr(huge_pages, "_advise", lambda *_: pytest.fail("it was told to"))
    assert list(moves_to_huge_pages()) == []


def huge_bytes(begin: int, end: int) -> int:
    """Return how much of the mappings over a range lies in huge pages."""
    huge, over = 0, False
    with open("/proc/self/smaps", encoding="utf-8") as lines:
        for line in lines:
            first, _, rest = line.partition(" ")
            if "-" in first:
                low, high = (int(address, 16) for address in first.split("-"))
                over = low < end and begin < high
            elif over and first == "AnonHugePages:":
                huge += int(rest.split()[0]) * 1024
    return huge
