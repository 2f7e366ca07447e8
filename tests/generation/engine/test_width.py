"""How wide calls become, with costs invented by the test."""

from collections.abc import Callable

import pytest

from generation.engine.width import FixedWidth, MeasuredWidth


def after(width: MeasuredWidth, seconds: Callable[[int], float], calls: int, rows: int = 64) -> int:
    """Make full calls, as far as there are ``rows``, and return the width."""
    for _ in range(calls):
        called = min(rows, width.rows)
        width.learn(called, seconds(called))
    return width.rows


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda rows: 1.0, 16),  # a call costs the same whatever its width
        (lambda rows: 1.0 + 0.1 * rows, 16),
        (lambda rows: 0.1 * rows, 2),  # nothing is gained
        (lambda rows: 0.1 + 0.1 * rows if rows <= 4 else 0.2 * rows, 4),  # beyond four the cache is too small
    ],
)
def test_it_widens_while_it_pays(seconds: Callable[[int], float], expected: int) -> None:
    assert after(MeasuredWidth(16), seconds, calls=40) == expected


def test_calls_that_are_not_full_say_nothing() -> None:
    width = MeasuredWidth(16)
    after(width, lambda rows: 1.0, calls=3)
    assert width.rows == 4
    assert after(width, lambda rows: 1.0, calls=40, rows=2) == 4
    assert after(width, lambda rows: 1.0, calls=40, rows=3) > 4  # pictures of two rows leave one empty


def test_one_disturbed_call_decides_nothing() -> None:
    calls = 0

    def seconds(rows: int) -> float:
        nonlocal calls
        calls += 1
        return 9.0 if calls % 2 else 1.0

    assert after(MeasuredWidth(16), seconds, calls=40) == 16


def test_it_looks_again_after_a_while() -> None:
    width = MeasuredWidth(16)
    assert after(width, lambda rows: float(rows), calls=40) == 2
    assert after(width, lambda rows: 1.0, calls=1000) == 16


def test_memory_bounds_it_for_good() -> None:
    width = MeasuredWidth(16)
    after(width, lambda rows: 1.0, calls=40)
    width.narrow(16)
    assert after(width, lambda rows: 1.0, calls=1000) == 8
    width.bound(4)
    width.bound(16)
    assert after(width, lambda rows: 1.0, calls=1000) == 4
    fixed = FixedWidth(16)
    fixed.narrow(6)
    assert fixed.rows == 3
    for _ in range(9):
        fixed.narrow(fixed.rows)
    assert fixed.rows == 1
