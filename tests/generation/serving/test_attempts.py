"""A job that lost its executor: run again, alone, after a rest, or never; with a real child and a scripted engine."""

import asyncio
from pathlib import Path

from generation.events import Cancelled, Failed, FailureKind, Finished, Progress, Started
from generation.serving.breaker import CircuitBreaker
from generation.serving.queue import Ticket
from tests.clock import Clock
from tests.generation.conftest import Gates
from tests.generation.serving.served import MakeExecutor, loaded, serving, waiting_in


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
        await gates.open("poison")  # all three are lost, which counts as one loss
        await reports.wait_for(Progress, "P", attempt=2)
        service.submit(Ticket(job_id="C", owner="C", group="g"))
        await gates.open("poison")
        assert (await reports.wait_for(Failed, "P")).attempt == 2
        await gates.open("one")
        await reports.wait_for(Finished, "A", attempt=2)
        await gates.open("two")
        await reports.wait_for(Finished, "B", attempt=2)
        await reports.wait_for(Finished, "C", attempt=1)
        # Each job that is tried again runs alone.
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
        service.resume()  # the rest is over; wakes the service, as the event loop's timer would
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
