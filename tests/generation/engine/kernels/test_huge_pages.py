"""Huge pages: resident memory is moved with every byte intact, and anything else is left alone."""

import json
import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from generation.engine.kernels import huge_pages
from generation.engine.kernels.huge_pages import moves_to_huge_pages
from tests.generation.engine.kernels.test_mapped_files import linux_only

MIB = 1 << 20
# A separate process, so that the contents of its memory are known.
PROGRAM = f"""
import json, mmap, psutil
from generation.engine.kernels.huge_pages import moves_to_huge_pages

written, reserved = (mmap.mmap(-1, size * {MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for size in (16, 256))
pattern = bytes(range(256))
written[:] = pattern * (len(written) // 256)
reserved.madvise(mmap.MADV_NOHUGEPAGE)  # else the first byte would bring a whole one where Linux always gives them
for start in range(0, len(reserved), 2 * {MIB}):
    reserved[start] = 1
before = psutil.Process().memory_info().rss
moved = max(moves_to_huge_pages(), default=0)
print(json.dumps({{
    "moved": moved,
    "grown": psutil.Process().memory_info().rss - before,
    "is_whole": written[:] == pattern * (len(written) // 256) and reserved[0] == 1,
    "huge": sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages")) * 1024,
}}))
"""


@linux_only
def test_what_is_in_memory_moves_and_what_is_not_stays_away() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert told["is_whole"]
    assert told["grown"] < 64 * MIB
    if not told["moved"]:
        pytest.skip("this kernel does not move pages when it is told to")
    assert min(told["moved"], told["huge"]) >= 14 * MIB  # the first and the last may not be aligned


@linux_only
def test_a_turn_looks_at_one_page_whether_or_not_it_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enabled = tmp_path / "enabled"
    enabled.write_text("always [madvise] never\n")
    looked_at: list[int] = []
    full = {3, 4}  # of the pages looked at; the last cannot be moved, as before Linux 6.1
    monkeypatch.setattr(huge_pages, "_WANTED", enabled)
    monkeypatch.setattr(huge_pages, "_is_full", lambda page: looked_at.append(page) or len(looked_at) in full)
    monkeypatch.setattr(huge_pages, "_advise", lambda *_: len(looked_at) < max(full))
    with mmap.mmap(-1, 16 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        turns = moves_to_huge_pages()
        assert [(next(turns), len(looked_at)) for _ in range(5)] == [
            (0, 1),
            (0, 2),
            (2 * MIB, 3),
            (2 * MIB, 4),
            (2 * MIB, 5),
        ]


def test_nothing_is_moved_where_the_administrator_said_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "enabled"
    said.write_text("always madvise [never]\n")
    monkeypatch.setattr(huge_pages, "_WANTED", said)
    monkeypatch.setattr(huge_pages, "_advise", lambda *_: pytest.fail("it was told to"))
    assert list(moves_to_huge_pages()) == []
