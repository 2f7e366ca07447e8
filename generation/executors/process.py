"""The process that owns the pipeline: started, monitored, and replaced when it is lost."""

import asyncio
import logging
import math
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from generation.child.frames import Frame
from generation.child.parent import ChildProcess
from generation.errors import ExecutorError
from generation.events import FailureKind
from generation.executors.budgets import PhaseBudgets
from generation.executors.messages import EXIT_DEVICE_LOST
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

WORKER = "generation.executors.worker"
# One malloc arena for all threads. Per-thread arenas return blocks of a layer's size to the system and request them
# again, which took a quarter of the time of a first call, whose weights are packed for that call only.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
_START_ATTEMPTS = 3
_REVIVAL_SECONDS = 60.0
_CRASH_SIGNALS = {
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
    if hasattr(signal, name)
}


def loss_of(status: int) -> FailureKind:
    """Return how a child was lost, judged by its exit status (negative: the signal that ended it)."""
    if status == EXIT_DEVICE_LOST:
        return FailureKind.DEVICE_LOST
    if status >= 0:
        return FailureKind.EXECUTOR_DIED
    return FailureKind.EXECUTOR_CRASHED if -status in _CRASH_SIGNALS else FailureKind.EXECUTOR_KILLED


class GenerationProcess:
    """At most one child process at a time, started on demand.

    ``engine`` is a dotted ``module:function`` that the child calls with ``options`` to get its engine; the options
    travel through the pipe because arguments are visible to every user of the machine. ``handle`` receives the child's
    messages about runs; ``lost`` is called with a child that is gone and the reason.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        engine: str,
        budgets: PhaseBudgets,
        backoff_seconds: float,
        handle: Callable[[Frame], None],
        lost: Callable[[ChildProcess, FailureKind], None],
    ) -> None:
        self._configure = Frame("configure", {"engine": engine, "options": dict(options)})
        self._budgets = budgets
        self._backoff_seconds = backoff_seconds
        self._handle = handle
        self._lost = lost
        self.child: ChildProcess | None = None
        self._condemned: tuple[ChildProcess, FailureKind] | None = None  # the last one killed here, and why
        self._killing = asyncio.Lock()
        self._listeners: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._stopped = False
        self._reviving: asyncio.Task[None] | None = None
        self._revived_at = -math.inf
        self.is_warm = False  # whether the child has its default model in memory
        self.device_memory_bytes: int | None = None  # as last reported
        self.losses: Counter[str] = Counter()  # lost children, by cause
        self.slots = 1
        self.device = ""
        self.dtype = ""

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while there is no child."""
        return self.child.pid if self.child is not None else None

    async def start(self) -> None:
        """Start the child unless it is running, and wait for its hello; raise ExecutorError if it does not come."""
        async with self._starting:
            if self.child is not None or self._stopped:
                return
            child = await ChildProcess.spawn(WORKER, environment=_ENVIRONMENT)
            try:
                await child.send(self._configure)
                hello = await self._hello_of(child)
            except BaseException:
                await child.kill()
                raise
            if self._stopped:
                await child.close()
                return
            self.slots, self.device, self.dtype = (hello.fields[name] for name in ("slots", "device", "dtype"))
            log.info("the generation process %d is ready: %s, %s", child.pid, self.device, self.dtype)
            self.child = child
            listener = asyncio.create_task(self._listen(child), name="generation process")
            self._listeners.add(listener)
            listener.add_done_callback(self._listeners.discard)

    async def start_patiently(self) -> ChildProcess:
        """Return the child; if there is none, start one, in up to three attempts.

        Raises ExecutorError.
        """
        delay_seconds = self._backoff_seconds
        for attempts_left in range(_START_ATTEMPTS - 1, -1, -1):
            try:
                await self.start()
            except ExecutorError as error:
                log.error("the generation process did not start: %s", error)
                if not attempts_left:
                    raise
                await asyncio.sleep(delay_seconds)
                delay_seconds *= 2
            if self.child is not None:
                return self.child
        raise ExecutorError("it was stopped")

    async def stop(self) -> None:
        """Stop the child and whatever it is computing."""
        self._stopped = True
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
        if self.child is not None:
            await self.child.close()
        await asyncio.gather(*self._listeners)  # they reap children and end their runs

    async def kill(self, child: ChildProcess, kind: FailureKind, *, cause: FailureKind | None = None) -> None:
        """Kill a child at once: its runs are lost with ``kind``, the child itself is counted under ``cause``."""
        async with self._killing:
            if child is not self.child:  # several of its runs went silent together, and another was first
                return
            self._condemned = (child, cause or kind)
            await child.kill()  # before anyone is told: two children must never hold memory of one device
            self._forget(child, kind)

    async def _hello_of(self, child: ChildProcess) -> Frame:
        try:
            async with asyncio.timeout(self._budgets.start_seconds):
                frame = await child.receive()
        except TimeoutError:
            raise ExecutorError(f"it said nothing for {self._budgets.start_seconds:.0f} s after its start") from None
        if frame is None:
            raise ExecutorError(f"it ended at its start with status {await child.wait()}")
        if frame.kind == "broken":
            raise ExecutorError(frame.fields["reason"])
        return frame

    async def _listen(self, child: ChildProcess) -> None:
        """Receive the child's messages until it is gone."""
        kind = FailureKind.EXECUTOR_DIED
        pinging = asyncio.create_task(self._ping(child))
        try:
            while (frame := await self._receive(child)) is not None:
                self._take(frame)
            status = await child.close()  # kill() would race with asyncio for the exit status
            log.log(
                logging.INFO if self._stopped else logging.ERROR,
                "the generation process %d ended with status %d",
                child.pid,
                status,
            )
            if self._condemned is None or self._condemned[0] is not child:
                kind = loss_of(status)
        except Exception as error:
            # A child that sends malformed messages cannot be trusted any more.
            log.error("the generation process %d sent invalid data\n%s", child.pid, stack_of(error))
            await child.kill()
        finally:
            pinging.cancel()
        self._forget(child, kind)

    async def _receive(self, child: ChildProcess) -> Frame | None:
        try:
            async with asyncio.timeout(self._budgets.ping_seconds + self._budgets.answer_seconds):
                return await child.receive()
        except TimeoutError:
            log.error("the generation process %d does not answer; killing it", child.pid)
            await self.kill(child, FailureKind.EXECUTOR_HUNG)
            return None

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case "pong":
                self.device_memory_bytes = frame.fields.get("device_memory_bytes")
            case "warm":
                self.is_warm = True
            case _:
                self._handle(frame)

    async def _ping(self, child: ChildProcess) -> None:
        while True:
            await asyncio.sleep(self._budgets.ping_seconds)
            await child.send(Frame("ping"))

    def _forget(self, child: ChildProcess, kind: FailureKind) -> None:
        """Record that a child is gone, so that nobody waits for it; the next run or ``_revive`` starts another."""
        if self.child is child:
            was_warm = self.is_warm
            self.child, self.is_warm, self.device_memory_bytes = None, False, None
            if not self._stopped:
                condemned, cause = self._condemned or (None, kind)
                self.losses[(cause if condemned is child else kind).value] += 1
                if was_warm:
                    self._revive()
        self._lost(child, kind)

    def _revive(self) -> None:
        """Start another child even if nobody is waiting, so that the next request does not have to wait for it.

        If a revived child dies soon, the next one is left to the next run: starting it may be what kills it.
        """
        now = asyncio.get_running_loop().time()
        if now - self._revived_at >= _REVIVAL_SECONDS:
            self._revived_at = now
            self._reviving = asyncio.create_task(self._start_quietly(), name="new generation process")

    async def _start_quietly(self) -> None:
        try:
            await self.start()
        except ExecutorError as error:
            log.error("the generation process did not start: %s", error)
