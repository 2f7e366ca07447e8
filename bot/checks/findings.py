"""The result of a check: one sentence, how bad it is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad a finding is; only ``fail`` keeps the bot from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: ``message`` describes the state, ``remedy`` what to do; both are whole sentences."""

    check: str
    verdict: Verdict
    message: str
    remedy: str = ""

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.verdict:4}  {self.check}: {self.message} {self.remedy}".rstrip()


def ok(check: str, message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(check, Verdict.OK, message)


def warn(check: str, message: str, remedy: str) -> Finding:
    """Return a finding with which the bot works, though not as well as it could."""
    return Finding(check, Verdict.WARN, message, remedy)


def fail(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that keeps the bot from working."""
    return Finding(check, Verdict.FAIL, message, remedy)
