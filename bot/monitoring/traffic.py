"""Requests to Discord and its responses, observed from inside the HTTP library."""

import asyncio
import re
from types import SimpleNamespace

import aiohttp

from bot.monitoring.metrics import Metrics

_CALLBACK = re.compile(r"/interactions/(?P<interaction_id>\d+)/[^/]+/callback$")
_REMEMBERED = 1000


class DiscordTraffic:
    """Counts Discord's responses and measures acknowledgements.

    ``trace`` goes to ``discord.Client(http_trace=…)``. URLs contain interaction tokens: they are inspected and never
    kept.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._arrivals: dict[int, float] = {}
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_end.append(self._on_end)
        self.trace.on_request_exception.append(self._on_exception)

    def arrived(self, interaction_id: int) -> None:
        """Note that an interaction has arrived."""
        while len(self._arrivals) >= _REMEMBERED:  # interactions that were never answered
            del self._arrivals[next(iter(self._arrivals))]
        self._arrivals[interaction_id] = asyncio.get_running_loop().time()

    async def _on_end(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        status = params.response.status
        if status == 101:  # the gateway's websocket
            return
        is_shared = params.response.headers.get("X-RateLimit-Scope") == "shared"
        self._metrics.answered(status, is_shared_limit=is_shared)
        callback = _CALLBACK.search(params.url.path)
        if callback is not None and status < 300:
            arrival = self._arrivals.pop(int(callback["interaction_id"]), None)
            if arrival is not None:
                self._metrics.acknowledgement_seconds.observe(asyncio.get_running_loop().time() - arrival)

    async def _on_exception(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, _params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._metrics.answered(None)
