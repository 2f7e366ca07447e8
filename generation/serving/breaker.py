"""A circuit breaker: when to stop restarting a generation process that keeps failing."""

import time
from collections import deque
from collections.abc import Callable


class CircuitBreaker:
    """Rest after ``max_losses`` losses within ``window_seconds``, then try one job; rest twice as long if it fails too.

    A job that ends without a loss closes the breaker and resets it. ``clock`` counts seconds.
    """

    def __init__(
        self,
        *,
        max_losses: int = 3,
        window_seconds: float = 600.0,
        first_rest_seconds: float = 30.0,
        longest_rest_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_losses = max_losses
        self._window_seconds = window_seconds
        self._first_rest_seconds = first_rest_seconds
        self._longest_rest_seconds = longest_rest_seconds
        self._clock = clock
        self._losses: deque[float] = deque()
        self._next_rest_seconds = first_rest_seconds
        self._rests_until: float | None = None  # None while nothing is suspected

    @property
    def seconds_left(self) -> float:
        """How much longer no job may begin; 0 if one may."""
        return 0.0 if self._rests_until is None else max(0.0, self._rests_until - self._clock())

    @property
    def is_probing(self) -> bool:
        """Whether a rest is over and the next job, on its own, will show whether it has helped."""
        return self._rests_until is not None and not self.seconds_left

    def lost(self) -> None:
        """Record that the process was lost with a job."""
        now = self._clock()
        self._losses.append(now)
        while self._losses[0] <= now - self._window_seconds:
            self._losses.popleft()
        if self._rests_until is not None or len(self._losses) >= self._max_losses:
            self.rest()

    def rest(self) -> None:
        """Rest now, because the process cannot even be started."""
        if self.seconds_left:  # another slot has already reported it
            return
        self._rests_until = self._clock() + self._next_rest_seconds
        self._next_rest_seconds = min(2 * self._next_rest_seconds, self._longest_rest_seconds)

    def succeeded(self) -> None:
        """Record that a job has ended without losing the process."""
        self._losses.clear()
        self._rests_until, self._next_rest_seconds = None, self._first_rest_seconds
