"""``/healthz``, ``/readyz`` and ``/metrics``."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from bot.monitoring.gauges import Gauges
from bot.monitoring.metrics import Metrics

log = logging.getLogger(__name__)

_WRITE_SECONDS = 5.0
_TICK_SECONDS = 1.0


class Monitoring:
    """Serves operators and their monitoring systems, and measures the event loop's lag.

    If the port is in use, that is logged as a warning and is no error, so that two bots can run on one machine.
    ``port`` 0 takes a free one, None turns the server off. ``write`` writes to the database.
    """

    def __init__(
        self,
        metrics: Metrics,
        gauges: Gauges,
        *,
        write: Callable[[], Awaitable[None]],
        host: str,
        port: int | None,
    ) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._write = write
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._ticking: asyncio.Task[None] | None = None
        self.url: str | None = None
        metrics.registry.register(gauges)

    async def __aenter__(self) -> Self:
        """Start serving and measuring."""
        self._ticking = asyncio.create_task(self._tick(), name="loop lag")
        if self._port is not None:
            await self._serve(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop serving and measuring."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, host: str, port: int) -> None:
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except (OSError, UnicodeError) as error:  # UnicodeError: an impossible host name
            log.warning(
                "monitoring is off: %s port %d cannot be used (%s); change MONITORING_HOST or MONITORING_PORT",
                host,
                port,
                error.strerror if isinstance(error, OSError) else "not a host",
            )
            return
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("monitoring at %s/healthz, /readyz and /metrics", self.url)

    async def _healthz(self, _: web.Request) -> web.Response:
        """Report whether the process works: a response proves that the event loop runs, a write that the disk works."""
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._write()
        except TimeoutError:
            return _verdict([f"the database took longer than {_WRITE_SECONDS:.0f} s"])
        except Exception as error:  # any reason why the database cannot be written is the answer
            log.error("the database cannot be written (%s)", type(error).__name__)
            return _verdict([f"the database cannot be written ({type(error).__name__})"])
        return _verdict([])

    async def _readyz(self, _: web.Request) -> web.Response:
        """Report whether a request would be generated now."""
        return _verdict(self._gauges.not_ready())

    async def _show_metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self._metrics.loop_lag_seconds.observe(max(0.0, clock() - due))


def _verdict(reasons: list[str]) -> web.Response:
    return web.json_response({"ok": not reasons, "reasons": reasons}, status=503 if reasons else 200)
