"""Logging: what the bot logs, and what it never logs."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import discord

from generation.logs import LogFormat, log_to_stderr
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)


def set_up_logging(secrets: Sequence[str], log_format: LogFormat = "text") -> None:
    """Log everything from INFO up to stderr.

    The library's debug records would quote request bodies, and so prompts: they stay off.
    """
    log_to_stderr(log_format, secrets)
    logging.getLogger("discord").setLevel(logging.WARNING)
    logging.getLogger("discord.client").addFilter(_without_stack_of_lost_connection)


def log_unhandled_error(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Log an error that nobody awaited; asyncio's own handler would log its message, and so perhaps a prompt."""
    error = context.get("exception")
    log.error("%s\n%s", context["message"], "" if error is None else stack_of(error))


def _without_stack_of_lost_connection(record: logging.LogRecord) -> bool:
    """Reduce a lost connection to one line: the library's stack trace helps nobody."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, aiohttp.ClientError | OSError | discord.DiscordException):
        record.msg = f"Discord is out of reach ({type(error).__name__}): {record.msg}"
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True
