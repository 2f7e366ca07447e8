"""Short codes that join what a person reads to what the log says."""

import secrets

from generation.job_id import ALPHABET


def new_reference() -> str:
    """Return 8 characters that a person can read out and an operator can search the log for."""
    return "".join(secrets.choice(ALPHABET) for _ in range(8))
