"""The executor of every installation: runs happen in the process that owns the pipeline and are tracked from here."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from generation.child.frames import Frame
from generation.child.parent import ChildProcess
from generation.errors import ExecutorError
from generation.events import Cancelled, Event, FailureKind
from generation.executors.budgets import Pace, Phase, PhaseBudgets
from generation.executors.messages import RunKey, event_of, key_of, run_frame
from generation.executors.process import GenerationProcess
from generation.executors.tracked_run import TrackedRun
from generation.requests import Img2ImgRequest

log = logging.getLogger(__name__)

DIFFUSERS_ENGINE = "generation.engine.start:create_engine"


class ChildExecutor:
    """Run requests in a child process; if it dies or hangs, the next run starts another one.

    ``options`` and ``engine`` are those of ``GenerationProcess``.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        engine: str = DIFFUSERS_ENGINE,
        budgets: PhaseBudgets | None = None,
        backoff_seconds: float = 1.0,
    ) -> None:
        self._budgets = budgets or PhaseBudgets()
        self.process = GenerationProcess(
            options,
            engine=engine,
            budgets=self._budgets,
            backoff_seconds=backoff_seconds,
            handle=self._handle,
            lost=self._end_runs_of,
        )
        self._pace = Pace()
        self._runs: dict[RunKey, TrackedRun] = {}
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def slots(self) -> int:
        """How many jobs may run concurrently; 1 until the process has reported its number."""
        return self.process.slots

    async def start(self) -> None:
        """Start the process unless it is running; raise ExecutorError if that is impossible."""
        await self.process.start()

    async def stop(self) -> None:
        """Stop the process and whatever it is computing."""
        await self.process.stop()

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
        """Report Cancelled at once; the child stops at its next step, and what it computes until then is dropped."""
        for run in [run for run in self._runs.values() if run.key[0] == job_id]:
            run.take(Cancelled(job_id=job_id, attempt=run.key[1]))
            self._tell_to_cancel(run)

    async def _begin(self, run: TrackedRun, request: Img2ImgRequest) -> None:
        try:
            child = await self.process.start_patiently()
        except ExecutorError as error:
            run.fail(FailureKind.EXECUTOR_UNAVAILABLE, reason=str(error))
            return
        if run.is_decided:  # cancelled while the child was starting
            run.end()
            return
        run.child = child
        run.enter(Phase.LOAD)
        await child.send(run_frame(*run.key, request))

    async def _next_event(self, run: TrackedRun) -> Event | None:
        while True:
            try:
                async with asyncio.timeout(max(run.seconds_left, 0.0)):
                    return await run.events.get()
            except TimeoutError:
                if run.child is not None and run.seconds_left <= 0 and run.events.empty():
                    log.error("job %s: the generation process shows no sign of life; killing it", run.key[0])
                    run.fail(FailureKind.EXECUTOR_HUNG)
                    await self.process.kill(run.child, FailureKind.EXECUTOR_DIED, cause=FailureKind.EXECUTOR_HUNG)

    def _handle(self, frame: Frame) -> None:
        """Pass a message of the child to its run."""
        run = self._runs.get(key_of(frame))
        if run is None:  # a late message of an abandoned run or an old attempt
            return
        if frame.kind == "phase":
            run.enter(Phase(frame.fields["phase"]))
        elif frame.kind == "free":
            if not run.is_decided:  # its thread broke before it could report the end
                run.take(run.failed(FailureKind.INTERNAL))
            run.end()
        elif (event := event_of(frame)) is not None:
            run.take(event)

    def _end_runs_of(self, child: ChildProcess, kind: FailureKind) -> None:
        """End the runs of a child that is gone."""
        for run in self._runs.values():
            if run.child is child and not run.is_over:
                run.fail(kind)

    def _tell_to_cancel(self, run: TrackedRun) -> None:
        if run.child is None or run.child is not self.process.child:
            return
        frame = Frame("cancel", {"job_id": run.key[0], "attempt": run.key[1]})
        task = asyncio.create_task(run.child.send(frame))
        self._sending.add(task)  # the event loop itself keeps only weak references
        task.add_done_callback(self._sending.discard)
