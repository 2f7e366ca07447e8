"""Names for jobs that sort by the moment of their making."""

import secrets
import time

# Crockford's base32 (https://www.crockford.com/base32.html): its digits sort as ASCII does, so ids sort as numbers.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 20
_RANDOM_BITS = 50


def new_job_id(now_seconds: float | None = None) -> str:
    """Return 20 base32 characters: 50 bits of milliseconds since 1970, then 50 random bits."""
    milliseconds = int((time.time() if now_seconds is None else now_seconds) * 1000)
    number = (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


def is_job_id(text: str) -> bool:
    """Tell whether the text has the shape of a job id."""
    return len(text) == LENGTH and all(character in ALPHABET for character in text)
