"""Short codes that connect what a user sees with the log, and the job that the current task is working on."""

import secrets
from contextvars import ContextVar

from generation.job_id import ALPHABET

_LENGTH = 8

# Set by code that starts working on a job in its own task, so that everything logged there can name the job.
current_job_id: ContextVar[str | None] = ContextVar("current_job_id", default=None)


def new_reference() -> str:
    """Return 8 characters that a user can read out and an operator can find in the log."""
    return "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))


def reference_of(job_id: str) -> str:
    """Return the end of a job's id: the log contains full ids, so searching for it finds every line about the job."""
    return job_id[-_LENGTH:]
