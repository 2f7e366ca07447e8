"""The one owner of the executor: hands it the next job when a slot is free, and tries a lost one again."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from generation.breaker import CircuitBreaker
from generation.errors import ExecutorError, InvalidRequest
from generation.events import Cancelled, Event, Failed, FailureKind, Finished
from generation.executors.base import Executor
from generation.forecast import Seconds, Turn, blocked_owners, forecast
from generation.queue import FairQueue, Ticket
from generation.recovery import Recovery
from generation.references import current_job_id, new_reference
from generation.requests import Img2ImgRequest
from generation.tracebacks import stack_of

log = logging.getLogger(__name__)

LoadRequest = Callable[[Ticket], Awaitable[Img2ImgRequest | None]]
Report = Callable[[Event], Awaitable[None]]
NoteAttempt = Callable[[str, int], Awaitable[None]]


async def note_nothing(_job_id: str, _attempt: int) -> None:
    """Write nothing down."""


class GenerationService:
    """Run tickets on an executor, fair between owners, at most ``executor.slots`` at a time.

    A request is loaded only when its turn has come (late binding), so that waiting jobs cost no memory and a change
    of mind costs nothing; ``load_request`` returns None for a job that is no longer wanted. Every event is awaited
    in ``report`` before the next is taken: what ``report`` writes down is safe before the slot is free. A job whose
    executor was lost is tried again, up to ``max_attempts``; ``note_attempt`` is awaited at once, before any wait. One
    whose executor could not be started has lost nothing. When either may be is for ``generation.recovery`` to say.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        load_request: LoadRequest,
        report: Report,
        max_attempts: int = 2,
        max_running_per_owner: int | None = None,
        breaker: CircuitBreaker | None = None,
        note_rest: Callable[[], None] = lambda: None,
        note_attempt: NoteAttempt = note_nothing,
    ) -> None:
        self._recovery = Recovery(breaker or CircuitBreaker(), self._rest_changed)
        self._note_rest = note_rest
        self._note_attempt = note_attempt
        self._executor = executor
        self._load_request = load_request
        self._report = report
        self._max_attempts = max_attempts
        self._max_running_per_owner = max_running_per_owner
        self._queue = FairQueue()
        self._suspects: dict[str, Ticket] = {}  # run alone, when nothing else waits or runs
        self._tickets: dict[str, Ticket] = {}  # of what runs
        self._costs: dict[str, float] = {}  # of what runs, as far as it is known
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()
        self._left: list[str] = []  # by what waited for the end of a rest when the service closed
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()  # nothing runs, and nothing that waits may begin
        self._closing = False
        self._paused = False

    @property
    def is_paused(self) -> bool:
        """Whether waiting jobs stay where they are although a slot is free."""
        return self._paused

    @property
    def rest_seconds_left(self) -> float:
        """How much longer nothing is begun because the executor went down again and again; 0 if it may be tried."""
        return self._recovery.rest_seconds_left

    def pause(self) -> None:
        """Hand nothing more to the executor; what runs ends as usual."""
        self._paused = True

    def resume(self) -> None:
        """Go on after a pause."""
        self._paused = False
        self._changed.set()

    @property
    def running_job_ids(self) -> tuple[str, ...]:
        """The jobs that have a slot."""
        return tuple(self._running)

    @property
    def waiting_job_ids(self) -> tuple[str, ...]:
        """The jobs that wait, in the order in which they will be served."""
        return (*(ticket.job_id for ticket in self._queue.order()), *self._suspects)

    def forecast(self, *, seconds_left: Seconds, seconds: Seconds) -> list[Turn]:
        """Return the turns of those who wait; see ``generation.forecast``. While paused nobody knows when."""
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
        """Let a job wait for its turn; one that ``runs_alone`` comes last."""
        if ticket.runs_alone:
            self._suspects[ticket.job_id] = ticket
        else:
            self._queue.push(ticket)
        self._changed.set()

    def account(self, job_id: str, cost: float, expected: Callable[[Ticket], float]) -> None:
        """Note what a job that still has its slot has cost, and what is expected of those that wait since then."""
        self._costs[job_id] = cost
        self._queue.reprice(expected)

    def cancel(self, job_id: str) -> bool:
        """Give a job up, waiting or running; return False if it is neither.

        A running job ends through its own Cancelled event; a waiting one is just taken out, and the caller,
        who knows that, settles it.
        """
        if self._suspects.pop(job_id, None) is not None or self._queue.remove(job_id) is not None:
            return True
        if job_id in self._running:
            self._cancelled.add(job_id)
            self._executor.cancel(job_id)
            self._recovery.wake()
            return True
        return False

    async def run(self) -> None:
        """Serve until ``close``; the executor is started here and stopped by ``close``."""
        await self._start_executor()
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

        With ``drains`` what waits is still begun as long as the time lasts. Return the ids of the jobs that were still
        running; no final event is reported for them.
        """
        deadline = asyncio.get_running_loop().time() + grace_seconds
        if drains:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_seconds)
        grace_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        self._closing = True
        self._changed.set()
        self._recovery.wake()
        tasks = dict(self._running)
        if tasks:
            await asyncio.wait(tasks.values(), timeout=grace_seconds)
        unfinished = [job_id for job_id, task in tasks.items() if not task.done()]
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await self._executor.stop()
        return (*unfinished, *self._left)

    def _next_ticket(self) -> Ticket | None:
        """Take out the ticket that may begin now, if a slot is free for one."""
        if self._paused or len(self._running) >= self._recovery.slots(self._executor.slots):
            return None
        if any(ticket.runs_alone for ticket in self._tickets.values()):
            return None
        if self._suspects and not self._queue and not self._tickets:
            return self._suspects.pop(next(iter(self._suspects)))
        running = Counter(ticket.owner for ticket in self._tickets.values())
        return self._queue.pop_unless(blocked_owners(running, self._max_running_per_owner))

    async def _start_executor(self) -> None:
        """Try until the executor stands or the service closes; jobs wait meanwhile."""
        while not self._closing:
            try:
                await self._executor.start()
                return
            except ExecutorError as error:
                log.error("the generation process did not start: %s", error)
                self._recovery.rest()
                while self._recovery.rest_seconds_left and not self._closing:
                    await self._recovery.change()

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
                await self._run_attempts(ticket, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The last wall: whatever report or load_request did wrong must not stop the others' jobs.
            reference = new_reference()
            log.error("job %s broke [%s]\n%s", ticket.job_id, reference, stack_of(error))
            await self._report(self._failed(ticket, FailureKind.INTERNAL, reference=reference))
        finally:
            del self._running[ticket.job_id], self._tickets[ticket.job_id]
            self._recovery.over(ticket.job_id)
            cost = self._costs.pop(ticket.job_id, ticket.cost)
            if not ticket.runs_alone:
                self._queue.settle(ticket, cost)
            self._cancelled.discard(ticket.job_id)
            self._changed.set()

    async def _run_attempts(self, ticket: Ticket, request: Img2ImgRequest) -> None:
        job_id, attempt = ticket.job_id, ticket.attempt
        while True:
            if attempt > 1:
                self._recovery.begin_again(job_id)
            while not (may_begin := self._recovery.may_begin(job_id, self._tickets.keys())):
                if self._closing or job_id in self._cancelled:
                    break
                await self._recovery.change()
            if job_id in self._cancelled:
                await self._report(Cancelled(job_id=job_id, attempt=attempt))
                return
            if not may_begin:  # the service closes
                self._left.append(job_id)
                return
            losses = self._recovery.losses
            loss = await self._run_attempt(job_id, attempt, request)
            if loss is None:
                return
            self._recovery.lost(loss, losses)
            if loss.kind.is_executor_loss:
                if attempt >= self._max_attempts:
                    await self._report(loss)
                    return
                attempt += 1
                log.warning("job %s lost its executor (%s); trying again", job_id, loss.kind)
                await self._note_attempt(job_id, attempt)

    async def _run_attempt(self, job_id: str, attempt: int, request: Img2ImgRequest) -> Failed | None:
        """Report what happens in an attempt; return how it was lost, if the executor was."""
        async with contextlib.aclosing(self._executor.run(job_id, attempt, request)) as events:
            async for event in events:
                if isinstance(event, Failed) and (
                    event.kind.is_executor_loss or event.kind is FailureKind.EXECUTOR_UNAVAILABLE
                ):
                    return event
                if isinstance(event, Finished | Failed):
                    self._recovery.succeeded()
                await self._report(event)
        return None

    @staticmethod
    def _failed(ticket: Ticket, kind: FailureKind, reference: str = "", **data: object) -> Failed:
        return Failed(job_id=ticket.job_id, attempt=ticket.attempt, kind=kind, reference=reference, data=dict(data))
