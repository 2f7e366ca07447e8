"""What torch finds, reported by a short-lived process."""

import sys

import pytest

from generation.errors import ExecutorError
from generation.executors.probe import probe_device

ABSENT = "cuda" if sys.platform == "darwin" else "mps"


async def test_a_device_that_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(ExecutorError, match=f"DEVICE is {ABSENT}"):
        await probe_device(ABSENT, "auto")
