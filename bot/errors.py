"""Errors that members cause or run into, as data; ``bot.replies`` turns them into sentences."""

from collections.abc import Mapping
from typing import Any

from discord import app_commands


class Refused(app_commands.AppCommandError):
    """A refused request: ``reason`` is a short code, ``data`` holds the values for its sentence."""

    def __init__(self, reason: str, **data: Any) -> None:
        super().__init__(reason)
        self.reason, self.data = reason, data


class JobFailed(Exception):
    """A job that ends without a picture: ``kind`` is a short code, ``data`` holds the values for its sentence."""

    def __init__(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(kind)
        self.kind, self.data = kind, dict(data or {})
