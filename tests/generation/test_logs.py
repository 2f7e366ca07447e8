"""Log lines: machine-readable on request, linked to their job, without secrets and without what errors quote."""

import contextvars
import json
import logging
import sys

import pytest

from generation.job_id import new_job_id
from generation.logs import JsonLines, Redaction
from generation.references import current_job_id, new_reference

TOKEN = "".join(("a-tok", "en-of-a-bot"))
PROMPT = " ".join(("a cat", "on a beach"))


def record(message: str, *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    info = None
    if error is not None:
        try:
            raise error
        except type(error):
            info = sys.exc_info()
    return logging.LogRecord("bot.jobs.desk", logging.ERROR, __file__, 1, message, arguments, info)


def line(entry: logging.LogRecord) -> dict[str, str]:
    text = JsonLines([TOKEN, ""]).format(entry)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_names_its_job_and_the_reference_that_the_person_has() -> None:
    job_id, reference = new_job_id(), new_reference()
    entry = line(record("a step of job %s failed [%s]", job_id, reference))
    assert (entry["job"], entry["reference"]) == (job_id, reference)
    assert (entry["level"], entry["logger"]) == ("ERROR", "bot.jobs.desk")
    assert entry["time"].endswith("+00:00")


def test_what_is_logged_while_a_job_is_worked_on_carries_it() -> None:
    def work() -> dict[str, str]:
        current_job_id.set("0" * 20)
        return line(record("Discord did not answer"))

    assert contextvars.copy_context().run(work)["job"] == "0" * 20
    assert "job" not in line(record("connected"))


@pytest.mark.parametrize("form", [Redaction, JsonLines])
def test_neither_secrets_nor_the_messages_of_errors_are_written(form: type[Redaction]) -> None:
    text = form([TOKEN]).format(record("it was %s", TOKEN, error=ValueError(f"{PROMPT} {TOKEN}")))
    assert TOKEN not in text
    assert PROMPT not in text
    assert "[secret]" in text
    assert "ValueError" in text
    assert "test_logs.py" in text
