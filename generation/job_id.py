"""Job ids that sort by creation time."""

import secrets
import time

# Crockford's base32 (https://www.crockford.com/base32.html); its digits are in ASCII order, so ids sort like numbers.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 20
_RANDOM_BITS = 45


def new_job_id(now_seconds: float | None = None) -> str:
    """Return 20 base32 characters: 55 bits of microseconds since 1970, then 45 random bits."""
    microseconds = int((time.time() if now_seconds is None else now_seconds) * 1_000_000)
    number = (microseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
