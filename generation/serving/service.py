"""The queue and the slots of the executor: who waits, who is next, who has a slot."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from generation.errors import InvalidRequest
from generation.events import Failed, FailureKind
from generation.executors.base import Executor
from generation.references import current_job_id, new_reference
from generation.requests import Img2ImgRequest
from generation.serving.attempts import Attempts, NoteAttempt, Report
from generation.serving.breaker import CircuitBreaker
from generation.serving.forecast import Seconds, Turn, forecast
from generation.serving.queue import FairQueue, Ticket, blocked_owners
from generation.serving.recovery import Recovery
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

LoadRequest = Callable[[Ticket], Awaitable[Img2ImgRequest | None]]


async def note_nothing(_job_id: str, _attempt: int) -> None:
    """Record nothing."""


class GenerationService:
    """Run tickets on an executor, fairly between owners, at most ``executor.slots`` at a time.

    A request is loaded only when its turn has come (late binding), so that waiting jobs cost no memory and cancelling
    one costs nothing; ``load_request`` returns None for a job that is no longer wanted. Every event is awaited in
    ``report`` before the next is taken: what ``report`` stores is safe before the slot is free.
    ``generation.serving.attempts`` handles a job once it has a slot.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        load_request: LoadRequest,
        report: Report,
        max_running_per_owner: int | None = None,
        breaker: CircuitBreaker | None = None,
        note_rest: Callable[[], None] = lambda: None,
        note_attempt: NoteAttempt = note_nothing,
    ) -> None:
        self._recovery = Recovery(breaker or CircuitBreaker(), self._rest_changed)
        self._note_rest = note_rest
        self._executor = executor
        self._load_request = load_request
        self._report = report
        self._max_running_per_owner = max_running_per_owner
        self._queue = FairQueue()
        self._suspects: dict[str, Ticket] = {}  # run alone, once nothing else waits or runs
        self._tickets: dict[str, Ticket] = {}  # of running jobs
        self._costs: dict[str, float] = {}  # of running jobs, as far as known
        self._running: dict[str, asyncio.Task[None]] = {}
        self._attempts = Attempts(
            executor,
            self._recovery,
            self._tickets.keys(),
            report=report,
            note_attempt=note_attempt,
        )
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()  # nothing runs, and no waiting job may begin
        self._closing = False
        self._paused = False

    @property
    def is_paused(self) -> bool:
        """Whether waiting jobs are held back even if a slot is free."""
        return self._paused

    @property
    def rest_seconds_left(self) -> float:
        """How much longer no job may begin because the executor keeps failing; 0 if one may."""
        return self._recovery.rest_seconds_left

    def pause(self) -> None:
        """Give no further job to the executor; running jobs end as usual."""
        self._paused = True

    def resume(self) -> None:
        """End a pause."""
        self._paused = False
        self._changed.set()

    @property
    def running_job_ids(self) -> tuple[str, ...]:
        """The jobs that have a slot."""
        return tuple(self._running)

    def forecast(self, *, seconds_left: Seconds, seconds: Seconds) -> list[Turn]:
        """Return the turns of waiting jobs; see ``generation.serving.forecast``. During a pause, times are unknown."""
        return forecast(
            self._queue,
            self._tickets.values(),
            slots=self._executor.slots,
            seconds_left=(lambda _: None) if self._paused else seconds_left,
            seconds=(lambda _: None) if self._paused else seconds,
            max_running_per_owner=self._max_running_per_owner,
            afterwards=self._suspects.values(),
        )

    def submit(self, ticket: Ticket) -> None:
        """Add a job to the queue; one that ``runs_alone`` comes last."""
        if ticket.runs_alone:
            self._suspects[ticket.job_id] = ticket
        else:
            self._queue.push(ticket)
        self._changed.set()

    def record_cost(self, job_id: str, cost: float, expected: Callable[[Ticket], float]) -> None:
        """Record the cost so far of a job that still has its slot, and update what is expected of the waiting ones."""
        self._costs[job_id] = cost
        self._queue.reprice(expected)

    def cancel(self, job_id: str) -> None:
        """Cancel a job, waiting or running.

        A running job ends through its own Cancelled event. A waiting one is only removed; the caller, who knows which
        it was, settles it.
        """
        if job_id in self._running:
            self._attempts.cancel(job_id)
        elif self._suspects.pop(job_id, None) is None:
            self._queue.remove(job_id)

    async def run(self) -> None:
        """Serve until ``close``; this starts the executor, and ``close`` stops it."""
        await self._attempts.start()
        while not self._closing:
            while (ticket := self._next_ticket()) is not None:
                self._tickets[ticket.job_id] = ticket
                task = asyncio.create_task(self._run_ticket(ticket), name=f"job {ticket.job_id}")
                self._running[ticket.job_id] = task
            if not self._running:
                self._idle.set()
            self._changed.clear()
            await self._changed.wait()
            self._idle.clear()

    async def close(self, grace_seconds: float, *, drains: bool = False) -> tuple[str, ...]:
        """Start nothing new, give running jobs ``grace_seconds`` to end, then stop the executor.

        With ``drains``, waiting jobs are still started while the time lasts. Returns the ids of the jobs that were
        still running; no final event is reported for them.
        """
        deadline = asyncio.get_running_loop().time() + grace_seconds
        if drains:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_seconds)
        grace_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        self._closing = True
        self._changed.set()
        self._attempts.close()
        tasks = dict(self._running)
        if tasks:
            await asyncio.wait(tasks.values(), timeout=grace_seconds)
        unfinished = [job_id for job_id, task in tasks.items() if not task.done()]
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await self._executor.stop()
        return (*unfinished, *self._attempts.not_begun)

    def _next_ticket(self) -> Ticket | None:
        """Remove and return the ticket that may begin now, if a slot is free for it."""
        if self._paused or len(self._running) >= self._recovery.slots(self._executor.slots):
            return None
        if any(ticket.runs_alone for ticket in self._tickets.values()):
            return None
        if self._suspects and not self._queue and not self._tickets:
            return self._suspects.pop(next(iter(self._suspects)))
        running = Counter(ticket.owner for ticket in self._tickets.values())
        return self._queue.pop(blocked_owners(running, self._max_running_per_owner))

    def _rest_changed(self) -> None:
        self._changed.set()
        self._note_rest()

    async def _run_ticket(self, ticket: Ticket) -> None:
        current_job_id.set(ticket.job_id)
        try:
            try:
                request = await self._load_request(ticket)
            except InvalidRequest as error:
                data = {"field": error.field, "reason": error.reason, **error.data}
                await self._report(self._failed(ticket, FailureKind.INVALID_REQUEST, **data))
                return
            if request is not None:
                await self._attempts.run(ticket, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The last line of defence: an error in report or load_request must not stop the other jobs.
            reference = new_reference()
            log.error("job %s failed unexpectedly [%s]\n%s", ticket.job_id, reference, stack_of(error))
            await self._report(self._failed(ticket, FailureKind.INTERNAL, reference=reference))
        finally:
            del self._running[ticket.job_id], self._tickets[ticket.job_id]
            self._attempts.forget(ticket.job_id)
            cost = self._costs.pop(ticket.job_id, ticket.cost)
            if not ticket.runs_alone:
                self._queue.settle(ticket, cost)
            self._changed.set()

    @staticmethod
    def _failed(ticket: Ticket, kind: FailureKind, reference: str = "", **data: object) -> Failed:
        return Failed(job_id=ticket.job_id, attempt=ticket.attempt, kind=kind, reference=reference, data=dict(data))
