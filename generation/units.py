"""Numbers and amounts of memory in human-readable form."""

import re

_UNITS = {"gib": 2**30, "gb": 10**9, "mib": 2**20, "mb": 10**6}


def plain_number(value: float) -> str:
    """Format a number without trailing zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def gibibytes(count: int) -> str:
    """Format a number of bytes in GiB, small ones in MiB."""
    if count < 2**30 / 10:
        return f"{count / 2**20:.0f} MiB"
    return f"{count / 2**30:.1f} GiB"


def memory_bytes(text: str) -> int:
    """Parse an amount of memory such as ``6GiB``; raise ValueError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError(text)
    return round(float(found[1]) * _UNITS[found[2]])
