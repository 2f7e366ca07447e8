"""Numbers and amounts of memory as people read and write them."""

import pytest

from generation.units import gibibytes, memory_bytes

GIBIBYTE = 2**30


@pytest.mark.parametrize(("text", "count"), [("6GiB", 6 * GIBIBYTE), ("512 MiB", 2**29), ("1.5gb", 1_500_000_000)])
def test_amounts_of_memory_are_read(text: str, count: int) -> None:
    assert memory_bytes(text) == count
    with pytest.raises(ValueError, match="six"):
        memory_bytes("six")


@pytest.mark.parametrize(("count", "text"), [(6 * GIBIBYTE, "6.0 GiB"), (2**29, "0.5 GiB"), (5 * 2**20, "5 MiB")])
def test_amounts_of_memory_are_written(count: int, text: str) -> None:
    assert gibibytes(count) == text
