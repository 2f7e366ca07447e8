"""The stand-in's clock, which tests may advance, and ids that contain its time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

# The first second of 2015, from which Discord's ids count (reference, "Snowflakes").
DISCORD_EPOCH_SECONDS = 1_420_070_400.0


class Clock:
    """The machine's time plus what tests have advanced it by."""

    def __init__(self) -> None:
        self.advanced_seconds = 0.0
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Return the stand-in's time in seconds since 1970."""
        return time.time() + self.advanced_seconds

    def advance(self, seconds: float) -> None:
        """Advance the time by ``seconds`` and wake sleepers that are due. Raises ValueError below zero."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self.advanced_seconds += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep_until(self, moment: float) -> None:
        """Return once the stand-in's time has reached ``moment``."""
        while (remaining := moment - self.now()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), remaining)


def iso_time(moment: float) -> str:
    """Format ``moment`` as Discord does: ISO 8601 in UTC with microseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


class Snowflakes:
    """Generator of increasing ids that carry the stand-in's time in their upper bits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """Return an id that is unique within this stand-in."""
        milliseconds = int((self._clock.now() - DISCORD_EPOCH_SECONDS) * 1000)
        self._last = max(self._last + 1, milliseconds << 22)
        return self._last
