"""Log lines as text or JSON, with secrets removed whichever library logs them."""

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from generation.references import current_job_id
from generation.tracebacks import stack_of

LogFormat = Literal["text", "json"]

# How messages name a job and the reference given to a user: "job 1K12… broke [ABCD1234]".
_JOB = re.compile(r"\bjob (?P<id>[0-9A-Z]{20})\b")
_REFERENCE = re.compile(r"\[(?P<reference>[0-9A-Z]{8})\]")

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Redaction(logging.Formatter):
    """Remove known secrets from formatted lines, and omit the messages of errors, which may quote prompts."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        return self._without_secrets(super().format(record))

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 — logging's name
        return stack_of(ei[1]) if ei[1] is not None else ""

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


class JsonLines(Redaction):
    """One JSON object per line: ``time``, ``level``, ``logger`` and ``message``.

    ``job``, ``reference`` and ``stack`` are added where they are known.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        named, reference = _JOB.search(message), _REFERENCE.search(message)
        job_id = named["id"] if named is not None else current_job_id.get()
        if job_id is not None:
            line["job"] = job_id
        if reference is not None:
            line["reference"] = reference["reference"]
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return self._without_secrets(json.dumps(line, ensure_ascii=False))


def log_to_stderr(log_format: LogFormat, secrets: Sequence[str] = (), *, level: int = logging.INFO) -> None:
    """Send everything from ``level`` upwards to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(secrets) if log_format == "json" else Redaction(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
