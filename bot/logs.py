"""What the bot logs, and what it never does."""

import logging
from collections.abc import Sequence

from generation.logs import LogFormat, log_to_stderr


def set_up_logging(secrets: Sequence[str], log_format: LogFormat = "text") -> None:
    """Log everything from INFO on to stderr.

    The library's debug lines would quote the bodies of requests, and so prompts: they stay off.
    """
    log_to_stderr(log_format, secrets)
    logging.getLogger("discord").setLevel(logging.WARNING)
