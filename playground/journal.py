"""A record of every REST call, and counters: invalid requests, identifies, resumes, the stand-in's own violations."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field

from playground.feed import Feed
from playground.models import Json

REMEMBERED_CALLS = 20_000


@dataclass(slots=True, kw_only=True)
class Call:
    """One REST call: its request and response and, for an acknowledgement, how long it took."""

    number: int
    method: str
    path: str
    route: str
    at: float
    body: Json | list[Json] | None = None
    files: list[Json] = field(default_factory=list)
    status: int = 0
    code: int | None = None
    seconds_since_interaction: float | None = None

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Violation:
    """A response of the stand-in itself that Discord's document does not allow."""

    where: str
    path: str
    message: str


class Journal:
    """The record of calls, and the counters that tests read."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self.violations: list[Violation] = []
        self.calls_seen = 0
        self.invalid_requests = 0
        self.identifies = 0
        self.resumes = 0
        self.refused_resumes = 0
        self.connections = 0

    def begin(self, method: str, path: str, route: str, at: float) -> Call:
        """Record an incoming call and return its entry, which is completed as the call proceeds."""
        self.calls_seen += 1
        call = Call(number=self.calls_seen, method=method, path=path, route=route, at=at)
        self.calls.append(call)
        return call

    def finish(self, call: Call, status: int, code: int | None) -> None:
        """Record the response; 401, 403 and 429 count as invalid requests (topics/rate-limits)."""
        call.status, call.code = status, code
        if status in (401, 403, 429):
            self.invalid_requests += 1
        self._feed.publish("call", {"number": call.number, "method": call.method, "path": call.path, "status": status})

    def counts(self) -> Json:
        """Return all counters as one JSON object."""
        return {
            "calls": self.calls_seen,
            "invalid_requests": self.invalid_requests,
            "identifies": self.identifies,
            "resumes": self.resumes,
            "refused_resumes": self.refused_resumes,
            "connections": self.connections,
            "violations": [asdict(violation) for violation in self.violations],
        }
