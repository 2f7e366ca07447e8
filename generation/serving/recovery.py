"""After the executor is lost: which job may begin when, so that no job suffers because of another."""

import asyncio
import logging
from collections.abc import Callable, Set

from generation.events import Failed, FailureKind
from generation.serving.breaker import CircuitBreaker

log = logging.getLogger(__name__)


class Recovery:
    """Let no job begin while the executor rests, and let the jobs lost with it begin again one by one.

    Each then runs alone, because any of the jobs that were lost together may have been the cause, and the others must
    not be lost with it again. ``breaker`` decides when to rest; ``note_rest`` is called when a rest begins and when it
    ends.
    """

    def __init__(self, breaker: CircuitBreaker, note_rest: Callable[[], None]) -> None:
        self._breaker = breaker
        self._note_rest = note_rest
        self._again: dict[str, None] = {}  # lost jobs, in the order of their turns
        self._tried: str | None = None  # the last job to begin, until it is known whether a rest has helped
        self._changed = asyncio.Event()
        self._losses = 0  # of the executor

    @property
    def rest_seconds_left(self) -> float:
        """How much longer no job may begin because the executor keeps failing; 0 if one may."""
        return self._breaker.seconds_left

    def slots(self, slots: int) -> int:
        """Return how many of ``slots`` are available to new jobs."""
        if self._again or self._breaker.seconds_left:
            return 0
        return 1 if self._breaker.is_probing else slots

    def begin_again(self, job_id: str) -> None:
        """Make a lost job wait for its turn to run again."""
        self._again[job_id] = None
        self._changed.set()  # the first in line may have been waiting for just this one

    def forget(self, job_id: str) -> None:
        """Forget a job that no longer has a slot."""
        self._again.pop(job_id, None)
        if self._tried == job_id:
            self._tried = None
        self._changed.set()

    def may_begin(self, job_id: str, running: Set[str]) -> bool:
        """Tell whether a job, one of those that have a slot, may be given to the executor."""
        if self._breaker.seconds_left or (self._breaker.is_probing and self._tried is not None):
            return False
        return job_id not in self._again or (job_id == next(iter(self._again)) and running == self._again.keys())

    def begin(self, job_id: str) -> int:
        """Record that a job is given to the executor; return how many losses there have been so far."""
        self._tried = job_id
        return self._losses

    def wake(self) -> None:
        """Wake everyone who waits for a change."""
        self._changed.set()

    async def change(self) -> None:
        """Wait until the answer of ``may_begin`` may have changed."""
        self._changed.clear()
        await self._changed.wait()

    def succeeded(self) -> None:
        """Record that a job has ended without losing the executor."""
        self._breaker.succeeded()
        self._changed.set()

    def lost(self, loss: Failed, losses_before: int) -> None:
        """Record the loss of an attempt that began after ``losses_before``; one shared by several jobs counts once."""
        self._tried = None
        if loss.kind is FailureKind.EXECUTOR_UNAVAILABLE:
            self.rest()
        elif losses_before == self._losses:
            self._losses += 1
            was_resting = self._breaker.seconds_left
            self._breaker.lost()
            self._note_beginning(was_resting)

    def rest(self) -> None:
        """Rest now: the executor cannot even be started."""
        was_resting = self._breaker.seconds_left
        self._breaker.rest()
        self._note_beginning(was_resting)

    def _note_beginning(self, was_resting: float) -> None:
        if self._breaker.seconds_left and not was_resting:
            log.error("the generation process keeps failing; it rests for %.0f s", self._breaker.seconds_left)
            asyncio.get_running_loop().call_later(self._breaker.seconds_left, self._end_rest)
            self._note_rest()

    def _end_rest(self) -> None:
        if self._breaker.seconds_left:  # the event loop's timer was a little early
            asyncio.get_running_loop().call_later(self._breaker.seconds_left, self._end_rest)
        else:
            self._changed.set()
            self._note_rest()
