"""A numbered log of events that the page and the tests follow."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from playground.models import Json

REMEMBERED_EVENTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    number: int
    kind: str
    data: Json

    def to_json(self) -> Json:
        return {"number": self.number, "kind": self.kind, "data": self.data}


class Feed:
    """Keeps the newest events and wakes everyone who waits for the next one."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=REMEMBERED_EVENTS)
        self._arrived = asyncio.Event()
        self.last_number = 0
        self.closed = False

    def publish(self, kind: str, data: Json) -> None:
        """Append an event."""
        self.last_number += 1
        self._events.append(Event(number=self.last_number, kind=kind, data=data))
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    def close(self) -> None:
        """Release everyone who waits; nothing more will happen."""
        self.closed = True
        self._arrived.set()

    async def after(self, number: int, timeout_seconds: float) -> list[Event]:
        """Return the events after ``number``, waiting up to ``timeout_seconds`` for the first."""
        if number >= self.last_number and not self.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout_seconds)
        newer: list[Event] = []
        for event in reversed(self._events):
            if event.number <= number:
                break
            newer.append(event)
        return newer[::-1]
