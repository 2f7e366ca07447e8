"""Tests can be run while their processes are paused now and then, and still fail when they should."""

import sys
from pathlib import Path

import pytest

from tests import pauses


@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no process with a signal")
@pytest.mark.parametrize(("line", "status"), [("assert True", 0), ("assert False", 1)])
def test_what_pytest_says_is_the_status(
    line: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(f"def test_it():\n    {line}\n")
    monkeypatch.setattr(pauses, "LONGEST_SECONDS", 0.1)
    assert pauses.main(["-q", "-p", "no:cacheprovider", str(test)]) == status
