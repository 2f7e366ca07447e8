"""Tell the page and the tests what happens, in order: a numbered log that they can follow."""

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
    """Keep the newest events and wake everybody who waits for the next."""

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
        """Send home everybody who waits; nothing will happen any more."""
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
