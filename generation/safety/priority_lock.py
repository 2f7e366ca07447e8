"""A lock that admits urgent waiters before the others."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PriorityLock:
    """Admit one at a time: urgent ones first, each kind in order of arrival."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @property
    def is_held(self) -> bool:
        """Whether a newcomer would have to wait."""
        return self._is_held

    @asynccontextmanager
    async def hold(self, *, is_urgent: bool = False) -> AsyncIterator[None]:
        """Wait for the lock and hold it."""
        await self._take(is_urgent)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, is_urgent: bool) -> None:
        if not self._is_held:
            self._is_held = True
            return
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not is_urgent, next(self._numbers), waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was given the lock at the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._is_held = False
