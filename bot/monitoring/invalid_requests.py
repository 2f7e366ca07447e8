"""How many of Discord's responses count towards a ban, and how much restraint that calls for."""

import logging
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0
# After this many answers 401, 403 and 429 in ten minutes Discord blocks the address (topics/rate-limits).
DISCORD_LIMIT = 10_000

SPARING_AT = 200
SILENT_AT = 500


class Restraint(IntEnum):
    """What the bot leaves out, so that what it has promised still gets through."""

    NONE = 0
    SPARING = 1  # no previews, and longer pauses between edits of a status message
    SILENT = 2  # only the final state of each status message; results and answers go on


class InvalidRequests:
    """Counts them in a sliding window, and logs when there are many. ``clock`` counts seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moments: deque[float] = deque(maxlen=DISCORD_LIMIT)
        self._is_alarmed = False

    @property
    def recent(self) -> int:
        """How many there were in the last ten minutes."""
        horizon = self._clock() - WINDOW_SECONDS
        while self._moments and self._moments[0] <= horizon:
            self._moments.popleft()
        recent = len(self._moments)
        if self._is_alarmed and recent < SPARING_AT:
            self._is_alarmed = False
            log.info("Discord is refusing few requests again: %d in ten minutes", recent)
        return recent

    @property
    def restraint(self) -> Restraint:
        """What the bot should leave out now."""
        recent = self.recent
        if recent >= SILENT_AT:
            return Restraint.SILENT
        return Restraint.SPARING if recent >= SPARING_AT else Restraint.NONE

    def note(self) -> None:
        """Count one."""
        self._moments.append(self._clock())
        recent = self.recent
        if recent >= SILENT_AT and not self._is_alarmed:
            self._is_alarmed = True
            log.error(
                "Discord refused %d requests in ten minutes; at %d it blocks this address."
                " Status messages are not updated until this gets better",
                recent,
                DISCORD_LIMIT,
            )
