"""Rate limits like Discord's, reported in Discord's headers (topics/rate-limits)."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field

from playground.limits import GLOBAL_REQUESTS_PER_SECOND

# Discord's own numbers differ by route, change, and are "not to be hard coded"; tests set what they want to see.
DEFAULT_LIMIT, DEFAULT_PER_SECONDS = 50, 1.0


@dataclass(slots=True)
class _Window:
    opened: float = 0.0
    used: int = 0

    def take(self, limit: int, per_seconds: float, now: float) -> tuple[int, float]:
        """Count one request; return how many are left (negative: rejected) and the seconds until the next window."""
        if now >= self.opened + per_seconds:
            self.opened, self.used = now, 0
        self.used += 1
        return limit - self.used, self.opened + per_seconds - now


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    headers: dict[str, str]
    retry_after_seconds: float | None = None
    is_global: bool = False


@dataclass(slots=True)
class RateLimits:
    """A window for every route and major parameter, plus one for all requests of the bot."""

    _windows: dict[str, _Window] = field(default_factory=dict)
    _everything: _Window = field(default_factory=_Window)
    _rules: list[tuple[re.Pattern[str], int, float]] = field(default_factory=list)

    def set_limit(self, pattern: str, limit: int, per_seconds: float) -> None:
        """Allow ``limit`` requests in ``per_seconds`` on the routes ("POST /channels/…") that match ``pattern``."""
        self._rules.insert(0, (re.compile(pattern), limit, per_seconds))
        self._windows.clear()

    def reset(self) -> None:
        """Return to the defaults."""
        self._rules.clear()
        self._windows.clear()

    def take(self, route: str, major: str, *, counts_globally: bool) -> Verdict:
        """Count one request and return the headers of its response; rejected if ``retry_after_seconds`` is set."""
        now = time.monotonic()
        if counts_globally:
            left, seconds = self._everything.take(GLOBAL_REQUESTS_PER_SECOND, 1.0, now)
            if left < 0:
                return Verdict(headers=refusal_headers(seconds, True), retry_after_seconds=seconds, is_global=True)
        limit, per_seconds = next(
            ((limit, per) for pattern, limit, per in self._rules if pattern.search(route)),
            (DEFAULT_LIMIT, DEFAULT_PER_SECONDS),
        )
        left, seconds = self._windows.setdefault(f"{route}:{major}", _Window()).take(limit, per_seconds, now)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": f"{time.time() + seconds:.3f}",
            "X-RateLimit-Reset-After": f"{seconds:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
        }
        if left < 0:
            return Verdict(headers=headers | refusal_headers(seconds, False), retry_after_seconds=seconds)
        return Verdict(headers=headers)


def refusal_headers(seconds: float, is_global: bool) -> dict[str, str]:
    """Return the headers of Discord's 429 responses; one without Via would look like Cloudflare's."""
    headers = {"Retry-After": f"{seconds:.3f}", "Via": "1.1 google", "X-RateLimit-Scope": "user"}
    return headers | ({"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"} if is_global else {})
