"""Device memory is read without importing anything, and without blocking the thread that asks."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from generation.engine.device_memory import device_memory_bytes


def torch_with(**parts: Any) -> SimpleNamespace:
    return SimpleNamespace(**parts)


CUDA = SimpleNamespace(is_initialized=lambda: True, device_count=lambda: 2, memory_reserved=lambda index: 10 + index)
NO_CUDA = SimpleNamespace(is_initialized=lambda: False)
HALF_CUDA = SimpleNamespace()


def mps(is_here: bool) -> dict[str, Any]:
    return {
        "mps": SimpleNamespace(driver_allocated_memory=lambda: 7),
        "backends": SimpleNamespace(mps=SimpleNamespace(is_available=lambda: is_here)),
    }


@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        (None, None),
        (torch_with(), None),
        (torch_with(cuda=HALF_CUDA), None),
        (torch_with(cuda=CUDA), 21),
        (torch_with(cuda=NO_CUDA, **mps(True)), 7),
        (torch_with(cuda=NO_CUDA, **mps(False)), None),
    ],
)
def test_what_is_held(monkeypatch: pytest.MonkeyPatch, torch: Any, expected: int | None) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert device_memory_bytes() == expected
