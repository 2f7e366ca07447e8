"""The lock file of models, and text files that are replaced atomically."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from generation.models import lock


def test_two_threads_that_replace_a_file_at_the_same_moment_leave_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_written = threading.Barrier(2)
    monkeypatch.setattr(lock.os, "fsync", lambda _: both_have_written.wait(60))
    texts = ("one" * 10_000, "two")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda text: lock.replace_text(tmp_path / "file", text), texts))
    assert (tmp_path / "file").read_text() in {f"{text}\n" for text in texts}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
