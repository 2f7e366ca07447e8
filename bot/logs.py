"""Logging to stderr, with the secrets cut out whoever wrote them."""

import logging
from collections.abc import Sequence


class Redaction(logging.Formatter):
    """Replace known secrets in whole formatted lines, tracebacks included."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


def set_up_logging(secrets: Sequence[str]) -> None:
    """Log everything from INFO on to stderr.

    The library's debug lines would quote the bodies of requests, and so prompts: they stay off.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Redaction(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("discord").setLevel(logging.WARNING)
