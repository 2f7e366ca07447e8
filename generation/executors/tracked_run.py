"""The parent's side of one run in a child process."""

import asyncio
from typing import Any

from generation.child.parent import ChildProcess
from generation.events import Event, Failed, FailureKind, Finished, Progress, is_final
from generation.executors.budgets import Pace, Phase, PhaseBudgets
from generation.executors.messages import RunKey


class TrackedRun:
    """What the parent knows about one run: the events to pass on, and when the next sign of life is due."""

    def __init__(self, key: RunKey, model: str, budgets: PhaseBudgets, pace: Pace) -> None:
        self.key = key
        self.child: ChildProcess | None = None  # the one that it was sent to
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()  # None: the slot is free, nothing follows
        self.is_decided = False  # its final event is known
        self.is_over = False  # its slot is free as well
        self._model = model
        self._budgets = budgets
        self._pace = pace
        self._clock = asyncio.get_running_loop().time
        self._slowest_step_seconds = 0.0
        self._phase, self._last_heard = Phase.LOAD, self._clock()

    @property
    def seconds_left(self) -> float:
        """How much longer it may stay silent; negative when overdue."""
        recent_seconds = self._pace.longest_seconds(self._model, self._phase)
        budget_seconds = self._budgets.seconds_for(self._phase, self._slowest_step_seconds, recent_seconds)
        if self.child is None:
            return budget_seconds
        return self._last_heard + budget_seconds - self._clock()

    def enter(self, phase: Phase) -> None:
        """Record a phase."""
        if phase is not self._phase:
            self._note_pace()
        self._phase, self._last_heard = phase, self._clock()

    def take(self, event: Event) -> None:
        """Record an event and pass it on, unless this run's outcome is already decided."""
        if isinstance(event, Progress):
            self._slowest_step_seconds = max(self._slowest_step_seconds, self._clock() - self._last_heard)
            self._note_pace()
            self._phase, self._last_heard = Phase.DENOISE, self._clock()
        elif isinstance(event, Finished):
            self._note_pace()
        if not self.is_decided:
            self.is_decided = is_final(event)
            self.events.put_nowait(event)

    def _note_pace(self) -> None:
        self._pace.note(self._model, self._phase, self._clock() - self._last_heard)

    def fail(self, kind: FailureKind, **data: Any) -> None:
        """Record such a failure as the last event."""
        self.take(self.failed(kind, **data))
        self.end()

    def failed(self, kind: FailureKind, **data: Any) -> Failed:
        """Make the event of a failure that the child could not report."""
        return Failed(job_id=self.key[0], attempt=self.key[1], kind=kind, data=data)

    def end(self) -> None:
        """Record that the slot is free."""
        self.is_over = True
        self.events.put_nowait(None)
