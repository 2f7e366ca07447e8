"""Numbers and amounts of memory as people read and write them."""

import re

_UNITS = {"gib": 2**30, "gb": 10**9, "mib": 2**20, "mb": 10**6}


def plain_number(value: float) -> str:
    """Return a number without a fraction that it does not have."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def gibibytes(count: int) -> str:
    """Return a number of bytes as people compare disks and memories; small ones in MiB."""
    if count < 2**30 / 10:
        return f"{count / 2**20:.0f} MiB"
    return f"{count / 2**30:.1f} GiB"


def memory_bytes(text: str) -> int:
    """Read an amount of memory such as ``6GiB``; raise ValueError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError(text)
    return round(float(found[1]) * _UNITS[found[2]])
