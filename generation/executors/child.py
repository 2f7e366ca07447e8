"""The executor of every installation: a spawned child process that owns the pipeline, and this handle on it."""

import asyncio
import logging
import math
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from generation.child.frames import Frame
from generation.child.parent import ChildProcess
from generation.errors import ExecutorError
from generation.events import Cancelled, Event, FailureKind
from generation.executors.budgets import Pace, Phase, PhaseBudgets
from generation.executors.messages import EXIT_DEVICE_LOST, RunKey, event_of, key_of, run_frame
from generation.executors.tracked_run import TrackedRun
from generation.requests import Img2ImgRequest
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

WORKER = "generation.executors.worker"
DIFFUSERS_ENGINE = "generation.engine.diffusers_engine:create_engine"
_START_ATTEMPTS = 3
_REVIVAL_SECONDS = 60.0
_IMPOSSIBLE = {
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
    if hasattr(signal, name)
}


def loss_of(status: int) -> FailureKind:
    """Say by its exit status (negative: the signal that ended it) how a child was lost."""
    if status == EXIT_DEVICE_LOST:
        return FailureKind.DEVICE_LOST
    if status >= 0:
        return FailureKind.EXECUTOR_DIED
    return FailureKind.EXECUTOR_CRASHED if -status in _IMPOSSIBLE else FailureKind.EXECUTOR_KILLED


class ChildExecutor:
    """Run requests in a child process; when it dies or hangs, start another one for the next run.

    ``engine`` is a dotted ``module:function`` that the child calls with ``options`` to get its engine; the options
    travel through the pipe because arguments are visible to every user of the machine.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        engine: str = DIFFUSERS_ENGINE,
        budgets: PhaseBudgets | None = None,
        backoff_seconds: float = 1.0,
    ) -> None:
        self._configure = Frame("configure", {"engine": engine, "options": dict(options)})
        self._budgets = budgets or PhaseBudgets()
        self._pace = Pace()
        self._backoff_seconds = backoff_seconds
        self._child: ChildProcess | None = None
        self._condemned: dict[ChildProcess, FailureKind] = {}  # those that are being killed here, and why
        self._listeners: set[asyncio.Task[None]] = set()
        self._runs: dict[RunKey, TrackedRun] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._stopped = False
        self._reviving: asyncio.Task[None] | None = None
        self._revived_at = -math.inf
        self.is_warm = False  # whether the child has its default model in memory
        self.device_memory_bytes: int | None = None  # as it last said
        self.losses: Counter[str] = Counter()  # children that were lost, by what was wrong with them
        self.slots = 1
        self.device = ""
        self.dtype = ""

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while there is no child."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start the child unless it runs, and wait for its hello; raise ExecutorError if it does not come."""
        async with self._starting:
            if self._child is not None or self._stopped:
                return
            child = await ChildProcess.spawn(WORKER)
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
            self._child = child
            listener = asyncio.create_task(self._listen(child), name="generation process")
            self._listeners.add(listener)
            listener.add_done_callback(self._listeners.discard)

    async def run(self, job_id: str, attempt: int, request: Img2ImgRequest) -> AsyncGenerator[Event, None]:
        """Compute one job; see ``Executor.run``."""
        run = self._runs[job_id, attempt] = TrackedRun((job_id, attempt), request.model, self._budgets, self._pace)
        beginning = asyncio.create_task(self._begin(run, request))
        try:
            while (event := await self._next_event(run)) is not None:
                yield event
        finally:
            beginning.cancel()
            del self._runs[run.key]
            if not run.is_over:
                self._tell_to_cancel(run)

    def cancel(self, job_id: str) -> None:
        """Answer Cancelled at once; the child stops at its next step and what it computes until then is dropped."""
        for run in [run for run in self._runs.values() if run.key[0] == job_id]:
            run.take(Cancelled(job_id=job_id, attempt=run.key[1]))
            self._tell_to_cancel(run)

    async def stop(self) -> None:
        """End the child and whatever it computes."""
        self._stopped = True
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
        if self._child is not None:
            await self._child.close()
        await asyncio.gather(*self._listeners)  # they reap the children and end their runs

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

    async def _begin(self, run: TrackedRun, request: Img2ImgRequest) -> None:
        try:
            child = await self._start_patiently()
        except ExecutorError as error:
            run.fail(FailureKind.EXECUTOR_UNAVAILABLE, reason=str(error))
            return
        if run.is_decided:  # given up while the child started
            run.end()
            return
        run.child = child
        run.enter(Phase.LOAD)
        await child.send(run_frame(*run.key, request))

    async def _start_patiently(self) -> ChildProcess:
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
            if self._child is not None:
                return self._child
        raise ExecutorError("it was stopped")

    async def _next_event(self, run: TrackedRun) -> Event | None:
        while True:
            try:
                async with asyncio.timeout(max(run.seconds_left, 0.0)):
                    return await run.events.get()
            except TimeoutError:
                if run.child is not None and run.seconds_left <= 0 and run.events.empty():
                    log.error("job %s: the generation process shows no sign of life; killing it", run.key[0])
                    run.fail(FailureKind.EXECUTOR_HUNG)
                    await self._kill(run.child, FailureKind.EXECUTOR_DIED, cause=FailureKind.EXECUTOR_HUNG)

    async def _listen(self, child: ChildProcess) -> None:
        """Hand the child's messages to their runs until it is gone."""
        kind = FailureKind.EXECUTOR_DIED
        pinging = asyncio.create_task(self._ping(child))
        try:
            while (frame := await self._receive(child)) is not None:
                self._handle(frame)
            status = await child.close()  # kill() would race with asyncio for the status of a process that is ending
            log.log(
                logging.INFO if self._stopped else logging.ERROR,
                "the generation process %d ended with status %d",
                child.pid,
                status,
            )
            if child not in self._condemned:
                kind = loss_of(status)
        except Exception as error:
            # A message that cannot be understood means that the child cannot be trusted with anything further.
            log.error("the generation process %d made no sense\n%s", child.pid, stack_of(error))
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
            await self._kill(child, FailureKind.EXECUTOR_HUNG)
            return None

    def _handle(self, frame: Frame) -> None:
        if frame.kind == "pong":
            self.device_memory_bytes = frame.fields.get("device_memory_bytes")
            return
        if frame.kind == "warm":
            self.is_warm = True
            return
        run = self._runs.get(key_of(frame))
        if run is None:  # a late message of a run that was left, or of an old attempt
            return
        if frame.kind == "phase":
            run.enter(Phase(frame.fields["phase"]))
        elif frame.kind == "free":
            if not run.is_decided:  # its thread broke before it could say how the run ended
                run.take(run.failed(FailureKind.INTERNAL))
            run.end()
        elif (event := event_of(frame)) is not None:
            run.take(event)

    async def _ping(self, child: ChildProcess) -> None:
        while True:
            await asyncio.sleep(self._budgets.ping_seconds)
            await child.send(Frame("ping"))

    async def _kill(self, child: ChildProcess, kind: FailureKind, *, cause: FailureKind | None = None) -> None:
        self._condemned[child] = cause or kind
        try:
            await child.kill()  # before anybody hears of it: two children must never hold the memory of one device
            self._forget(child, kind)
        finally:
            del self._condemned[child]

    def _forget(self, child: ChildProcess, kind: FailureKind) -> None:
        """End the runs of a child that is gone, so that nobody waits for it; the next run starts another, or we do."""
        if self._child is child:
            was_warm = self.is_warm
            self._child, self.is_warm, self.device_memory_bytes = None, False, None
            if not self._stopped:
                self.losses[self._condemned.get(child, kind).value] += 1
                if was_warm:
                    self._revive()
        for run in self._runs.values():
            if run.child is child and not run.is_over:
                run.fail(kind)

    def _revive(self) -> None:
        """Start another child although nobody may want a picture now, so that the next one need not wait for it.

        One that does not live long is left to the next run: what it dies of may be its being there.
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

    def _tell_to_cancel(self, run: TrackedRun) -> None:
        if run.child is None or run.child is not self._child:
            return
        frame = Frame("cancel", {"job_id": run.key[0], "attempt": run.key[1]})
        task = asyncio.create_task(run.child.send(frame))
        self._sending.add(task)  # the event loop itself keeps only weak references
        task.add_done_callback(self._sending.discard)
