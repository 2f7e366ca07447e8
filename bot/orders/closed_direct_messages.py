"""People to whom Discord has recently not let the bot write."""

import time
from collections import deque
from collections.abc import Callable

from bot.errors import Refused
from bot.monitoring.invalid_requests import WINDOW_SECONDS

MAX_REFUSED = 5


class ClosedDirectMessages:
    """Limits how often the bot tries to write to somebody who does not let it.

    Refused requests count towards a ban of the bot's IP address, and a person could otherwise cause any number.
    ``clock`` counts seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: deque[tuple[float, int]] = deque()

    def note(self, person_id: int) -> None:
        """Count one refused message."""
        self._refused.append((self._clock(), person_id))

    def require_attempt_left(self, person_id: int) -> None:
        """Raise Refused (``direct_messages_refused``) after ``MAX_REFUSED`` refused messages in ten minutes."""
        horizon = self._clock() - WINDOW_SECONDS
        while self._refused and self._refused[0][0] <= horizon:
            self._refused.popleft()
        if sum(refused_id == person_id for _, refused_id in self._refused) >= MAX_REFUSED:
            raise Refused("direct_messages_refused")
