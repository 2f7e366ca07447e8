"""Short codes that link what a person reads to the log, and the job that the current task works on."""

import secrets
from contextvars import ContextVar

from generation.job_id import ALPHABET

_LENGTH = 8

# Set by whoever begins to work on a job in a task of its own, so that everything logged there can name it.
current_job_id: ContextVar[str | None] = ContextVar("current_job_id", default=None)


def new_reference() -> str:
    """Return 8 characters that a person can read out and an operator can search the log for."""
    return "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))


def reference_of(job_id: str) -> str:
    """Return the end of a job's id: the log names jobs by their ids, so searching for it finds every line about it."""
    return job_id[-_LENGTH:]
