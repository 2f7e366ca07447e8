"""The service over an executor that is a script in this process: order, slots, attempts, cancel, close."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from generation.errors import InvalidRequest
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.child import ChildExecutor
from generation.requests import Img2ImgRequest
from generation.serving.breaker import CircuitBreaker
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService
from tests.clock import Clock
from tests.generation.conftest import Gates
from tests.generation.samples import request


class Reports:
    """What the service told, and a way to wait for it."""

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
    """Return the jobs that wait, in the order in which they will be served."""
    return [turn.job_id for turn in service.forecast(seconds_left=lambda _: 1.0, seconds=lambda _: 1.0)]


async def loaded(script: str) -> Img2ImgRequest:
    return request(script)


MakeExecutor = Callable[..., ChildExecutor]


async def test_jobs_wait_for_a_slot_and_are_served_in_order(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("one", "two")
    scripts = {"A": "step gate:one", "B": "step gate:two", "C": "step"}
    async with serving(make_executor(slots=2), scripts) as (service, reports):
        await reports.wait_for(Progress, "A")
        await reports.wait_for(Progress, "B")
        assert set(service.running_job_ids) == {"A", "B"}
        assert waiting_in(service) == ["C"]
        await gates.open("two")
        await reports.wait_for(Finished, "C")  # in the slot that B left
        assert "A" in service.running_job_ids
        await gates.open("one")
        await reports.wait_for(Finished, "A")


async def test_one_owner_may_be_kept_from_taking_every_slot(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("one", "two")
    scripts = {"A1": "step gate:one", "A2": "step", "B1": "step gate:two"}
    async with serving(make_executor(slots=3), scripts, max_running_per_owner=1) as (service, reports):
        await reports.wait_for(Progress, "A1")
        await reports.wait_for(Progress, "B1")
        assert waiting_in(service) == ["A2"]  # although a slot is free
        (turn,) = service.forecast(seconds_left=lambda _: 4.0, seconds=lambda _: 2.0)
        assert (turn.ahead, turn.seconds) == (1, 10.0)
        await gates.open("one")
        await reports.wait_for(Finished, "A2")
        await gates.open("two")
        await reports.wait_for(Finished, "B1")


async def test_a_job_that_lost_its_executor_runs_again(make_executor: MakeExecutor) -> None:
    async with serving(make_executor(), {"A": "step once:flag die"}) as (_, reports):
        finished = await reports.wait_for(Finished, "A")
        assert isinstance(finished, Finished)
        assert finished.attempt == 2
        kinds = [(type(event), event.attempt) for event in reports.events]
        assert kinds == [(Started, 1), (Progress, 1), (Started, 2), (Progress, 2), (Finished, 2)]


async def test_a_job_that_kills_two_executors_fails_and_the_next_one_is_served(make_executor: MakeExecutor) -> None:
    scripts = {"A": "step die", "B": "step"}
    async with serving(make_executor(slots=1), scripts) as (_, reports):
        failed = await reports.wait_for(Failed, "A")
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.attempt) == (FailureKind.EXECUTOR_DIED, 2)
        await reports.wait_for(Finished, "B")
        assert [event.job_id for event in reports.events if isinstance(event, Failed)] == ["A"]


async def test_a_job_that_kills_executors_takes_nobody_else_along(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("poison", "one", "two")
    scripts = {"P": "step gate:poison die", "A": "step gate:one", "B": "step gate:two", "C": "step"}
    breaker = CircuitBreaker(max_losses=3, first_rest_seconds=1000.0)
    async with serving(make_executor(slots=4), {}, lambda ticket: loaded(scripts[ticket.job_id]), breaker=breaker) as (
        service,
        reports,
    ):
        for job_id in ("P", "A", "B"):
            service.submit(Ticket(job_id=job_id, owner=job_id, group="g"))
            await reports.wait_for(Progress, job_id)
        await gates.open("poison")  # all three are lost, which is one loss
        await reports.wait_for(Progress, "P", attempt=2)
        service.submit(Ticket(job_id="C", owner="C", group="g"))
        await gates.open("poison")
        assert (await reports.wait_for(Failed, "P")).attempt == 2
        await gates.open("one")
        await reports.wait_for(Finished, "A", attempt=2)
        await gates.open("two")
        await reports.wait_for(Finished, "B", attempt=2)
        await reports.wait_for(Finished, "C", attempt=1)
        # Whoever is tried again is alone.
        assert [event.job_id for event in reports.events if isinstance(event, Started)] == [*"PAB", *"PAB", "C"]


async def test_a_job_that_waits_to_be_tried_again_can_be_cancelled(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("poison", "one")
    scripts = {"P": "step gate:poison die", "A": "step gate:one"}
    async with serving(make_executor(slots=2), scripts) as (service, reports):
        for job_id in scripts:
            await reports.wait_for(Progress, job_id)
        await gates.open("poison")
        await reports.wait_for(Progress, "P", attempt=2)
        service.cancel("A")
        await reports.wait_for(Cancelled, "A")
        await gates.open("poison")
        await reports.wait_for(Failed, "P")


async def test_a_request_that_cannot_be_made_fails_alone(make_executor: MakeExecutor) -> None:
    async def load(ticket: Ticket) -> Img2ImgRequest | None:
        match ticket.job_id:
            case "A":
                raise InvalidRequest("seed", "out_of_range", value=-1, low=0, high=1)
            case "B":
                return None  # no longer wanted
            case "C":
                raise RuntimeError("SECRET")
        return request("step")

    scripts = {"A": "", "B": "", "C": "", "D": ""}
    async with serving(make_executor(), scripts, load) as (_, reports):
        await reports.wait_for(Finished, "D")
        failed = await reports.wait_for(Failed, "A")
        assert isinstance(failed, Failed)
        assert failed.kind is FailureKind.INVALID_REQUEST
        assert failed.data == {"field": "seed", "reason": "out_of_range", "value": -1, "low": 0, "high": 1}
        assert {event.job_id for event in reports.events} == {"A", "C", "D"}


async def test_what_breaks_in_the_caller_is_logged_without_its_message(
    make_executor: MakeExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "".join(("SEC", "RET"))

    async def load(_: Ticket) -> Img2ImgRequest | None:
        raise RuntimeError(secret)

    async with serving(make_executor(), {"A": ""}, load) as (_, reports):
        with caplog.at_level(logging.ERROR):
            failed = await reports.wait_for(Failed, "A")
    assert isinstance(failed, Failed)
    assert failed.kind is FailureKind.INTERNAL
    assert failed.reference in caplog.text
    assert secret not in caplog.text


async def test_cancel_reaches_waiting_and_running_jobs(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("gate")
    scripts = {"A": "step gate:gate step", "B": "step", "C": "step"}
    async with serving(make_executor(slots=1), scripts) as (service, reports):
        await reports.wait_for(Progress, "A")
        service.cancel("B")
        service.cancel("A")
        await reports.wait_for(Cancelled, "A")
        await gates.open("gate")
        await reports.wait_for(Finished, "C")
        assert "B" not in {event.job_id for event in reports.events}
        service.cancel("A")  # which is over


async def test_close_tells_which_jobs_it_interrupted(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("never")
    executor = make_executor(slots=1)
    async with serving(executor, {"A": "step gate:never", "B": "step"}) as (service, reports):
        await reports.wait_for(Progress, "A")
        assert await service.close(grace_seconds=0) == ("A",)
        assert waiting_in(service) == ["B"]
        assert executor.process.pid is None


async def test_a_suspect_comes_last_and_runs_alone(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("suspect", "one", "two")
    scripts = {"A": "step gate:one", "B": "step gate:two"}
    suspect = Ticket(job_id="S", owner="s", group="g", runs_alone=True)

    async def load_request(ticket: Ticket) -> Img2ImgRequest:
        return request({**scripts, "S": "step gate:suspect", "C": "step"}[ticket.job_id])

    async with serving(make_executor(slots=3), {}, load_request) as (service, reports):
        service.submit(Ticket(job_id="A", owner="a", group="g"))
        service.submit(suspect)
        service.submit(Ticket(job_id="B", owner="b", group="g"))
        await reports.wait_for(Progress, "A")
        await reports.wait_for(Progress, "B")
        assert waiting_in(service) == ["S"]  # although a slot is free
        (turn,) = service.forecast(seconds_left=lambda _: 4.0, seconds=lambda _: 2.0)
        assert (turn.ahead, turn.seconds) == (2, 10.0)
        await gates.open("one")
        await gates.open("two")
        await reports.wait_for(Progress, "S")
        service.submit(Ticket(job_id="C", owner="c", group="g"))
        assert service.running_job_ids == ("S",)
        assert waiting_in(service) == ["C"]
        await gates.open("suspect")
        await reports.wait_for(Finished, "C")


async def test_a_suspect_can_be_cancelled(make_executor: MakeExecutor) -> None:
    async with serving(make_executor(), {}) as (service, _):
        service.pause()
        service.submit(Ticket(job_id="S", owner="s", group="g", runs_alone=True))
        service.cancel("S")
        assert waiting_in(service) == []


async def test_an_executor_that_goes_down_again_and_again_rests_and_is_tried_with_one_job(
    make_executor: MakeExecutor, gates: Gates
) -> None:
    gates.make("probe")
    clock = Clock()
    rests: asyncio.Queue[float] = asyncio.Queue()
    breaker = CircuitBreaker(max_losses=2, first_rest_seconds=1000.0, clock=clock)
    scripts = {"A": "step die", "B": "step gate:probe", "C": "step"}
    async with serving(
        make_executor(slots=2),
        {"A": scripts["A"]},
        lambda ticket: loaded(scripts[ticket.job_id]),
        breaker=breaker,
        note_rest=lambda: rests.put_nowait(service.rest_seconds_left),
    ) as (service, reports):
        await reports.wait_for(Failed, "A")
        assert await rests.get() == 1000.0
        for job_id in ("B", "C"):
            service.submit(Ticket(job_id=job_id, owner=job_id, group="g"))
        assert service.running_job_ids == ()
        assert waiting_in(service) == ["B", "C"]
        clock.now += 1000.0
        service.resume()  # the rest is over; what wakes the service is the loop's own clock, which the test cannot turn
        await reports.wait_for(Progress, "B")
        assert service.running_job_ids == ("B",)  # alone, although a slot is free
        await gates.open("probe")
        await reports.wait_for(Finished, "C")
        assert service.rest_seconds_left == 0


async def test_an_executor_that_does_not_start_costs_no_job_its_attempts(
    make_executor: MakeExecutor, tmp_path: Path
) -> None:
    breaker = CircuitBreaker(first_rest_seconds=0.01)
    starts = tmp_path / "starts"
    async with serving(make_executor(starts_at=(str(starts), 6)), {"A": "step"}, breaker=breaker) as (_, reports):
        finished = await reports.wait_for(Finished, "A")
        assert isinstance(finished, Finished)
        assert finished.attempt == 1
        assert starts.stat().st_size >= 6


async def test_a_job_that_waits_for_the_end_of_a_rest_can_be_cancelled(make_executor: MakeExecutor) -> None:
    rested = asyncio.Event()
    breaker = CircuitBreaker(max_losses=1, first_rest_seconds=1000.0)
    async with serving(make_executor(), {"A": "step die"}, breaker=breaker, note_rest=rested.set) as (service, reports):
        await rested.wait()
        assert "A" in service.running_job_ids
        service.cancel("A")
        await reports.wait_for(Cancelled, "A")


async def test_a_job_that_waits_for_the_end_of_a_rest_is_left_when_the_service_closes(
    make_executor: MakeExecutor,
) -> None:
    rested = asyncio.Event()
    breaker = CircuitBreaker(max_losses=1, first_rest_seconds=1000.0)
    async with serving(make_executor(), {"A": "step die"}, breaker=breaker, note_rest=rested.set) as (service, _):
        await rested.wait()
        assert await service.close(grace_seconds=1000.0) == ("A",)
