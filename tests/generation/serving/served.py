"""A service over a real child process with a scripted engine, and its reports."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from generation.events import Event
from generation.executors.child import ChildExecutor
from generation.requests import Img2ImgRequest
from generation.serving.breaker import CircuitBreaker
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService
from tests.generation.samples import request


class Reports:
    """What the service reported, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._came = asyncio.Condition()

    async def take(self, event: Event) -> None:
        async with self._came:
            self.events.append(event)
            self._came.notify_all()

    async def wait_for(self, kind: type[Event], job_id: str, *, attempt: int | None = None) -> Event:
        def found() -> Event | None:
            of_kind = (event for event in self.events if isinstance(event, kind) and event.job_id == job_id)
            return next((event for event in of_kind if attempt in (None, event.attempt)), None)

        async with self._came:
            await self._came.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event


@asynccontextmanager
async def serving(
    executor: ChildExecutor,
    scripts: dict[str, str],
    load_request: Callable[[Ticket], Awaitable[Img2ImgRequest | None]] | None = None,
    *,
    max_running_per_owner: int | None = None,
    breaker: CircuitBreaker | None = None,
    note_rest: Callable[[], None] = lambda: None,
) -> AsyncGenerator[tuple[GenerationService, Reports], None]:
    reports = Reports()

    async def by_script(ticket: Ticket) -> Img2ImgRequest:
        return request(scripts[ticket.job_id])

    service = GenerationService(
        executor,
        load_request=load_request or by_script,
        report=reports.take,
        max_running_per_owner=max_running_per_owner,
        breaker=breaker,
        note_rest=note_rest,
    )
    for job_id in scripts:
        service.submit(Ticket(job_id=job_id, owner=f"owner of {job_id[0]}", group="g"))
    task = asyncio.create_task(service.run())
    try:
        yield service, reports
    finally:
        await service.close(grace_seconds=0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def waiting_in(service: GenerationService) -> list[str]:
    """Return the waiting jobs, in the order in which they will be served."""
    return [turn.job_id for turn in service.forecast(seconds_left=lambda _: 1.0, seconds=lambda _: 1.0)]


async def loaded(script: str) -> Img2ImgRequest:
    return request(script)


MakeExecutor = Callable[..., ChildExecutor]
