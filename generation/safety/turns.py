"""A lock with two queues, one of them urgent."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Let one in at a time: the urgent before the others, each kind in the order in which they came."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @property
    def is_busy(self) -> bool:
        """Whether one would have to wait."""
        return self._is_taken

    @asynccontextmanager
    async def turn(self, *, is_urgent: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and have it."""
        await self._take(is_urgent)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, is_urgent: bool) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not is_urgent, next(self._numbers), waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was given the turn at that very moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._is_taken = False
