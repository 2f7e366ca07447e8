"""Fault injection: wrong answers, cut connections and hanging requests, as a test configures them."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from playground.feed import Feed

# ``status``: answer with the fault's status. ``page``: the same, but in HTML, as a proxy in front of Discord does.
# ``reset``: close the connection before the request is carried out. ``drop_after``: carry it out, then close the
# connection without answering. ``hang``: hold the request until the fault is cleared.
FaultAction = Literal["status", "page", "reset", "hang", "drop_after"]


@dataclass(slots=True, kw_only=True)
class Fault:
    id: int
    method: str | None
    path_pattern: re.Pattern[str]
    action: FaultAction
    status: int
    retry_after_seconds: float
    is_global: bool
    times_left: int | None
    share: float
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """The list of faults; the first one that matches a request is applied."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._faults: list[Fault] = []
        self._last_id = 0
        self._chance = random.Random(0)

    def add(
        self,
        *,
        path_pattern: str,
        action: str,
        method: str | None = None,
        status: int = 500,
        retry_after_seconds: float = 0.1,
        is_global: bool = False,
        times: int | None = 1,
        share: float = 1.0,
    ) -> Fault:
        """Add a fault for ``times`` matching requests (None: until cleared), each applied with probability ``share``.

        Raises ValueError for an invalid argument.
        """
        if action not in get_args(FaultAction):
            raise ValueError(f"a fault's action must be one of {', '.join(get_args(FaultAction))}, not {action!r}")
        if action in ("status", "page") and not 400 <= status <= 599:
            raise ValueError("a fault's status must be between 400 and 599")
        try:
            pattern = re.compile(path_pattern)
        except re.error as error:
            raise ValueError(f"the path pattern is not a regular expression: {error}") from None
        self._last_id += 1
        fault = Fault(
            id=self._last_id,
            method=method.upper() if method else None,
            path_pattern=pattern,
            action=action,  # type: ignore[arg-type]  # checked against the literal's members above
            status=status,
            retry_after_seconds=retry_after_seconds,
            is_global=is_global,
            times_left=times,
            share=share,
        )
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that applies to this request, and count it."""
        for fault in self._faults:
            if fault.times_left == 0 or fault.method not in (None, method):
                continue
            if fault.path_pattern.search(path) and (fault.share >= 1 or self._chance.random() < fault.share):
                fault.hits += 1
                if fault.times_left is not None:
                    fault.times_left -= 1
                self._feed.publish("fault", {"id": fault.id, "hits": fault.hits})
                return fault
        return None

    def clear(self, fault_id: int | None = None) -> None:
        """Remove one fault or all, and release the requests that hang on them."""
        kept: list[Fault] = []
        for fault in self._faults:
            if fault_id is None or fault.id == fault_id:
                fault.released.set()
            else:
                kept.append(fault)
        self._faults = kept

    def listed(self) -> list[dict[str, object]]:
        """Return every fault with how often it was applied."""
        return [
            {"id": f.id, "path_pattern": f.path_pattern.pattern, "action": f.action, "hits": f.hits}
            for f in self._faults
        ]
