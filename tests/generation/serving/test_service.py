"""The service over a real child process with a scripted engine: order, slots, cancellation, closing."""

import logging

import pytest

from generation.errors import InvalidRequest
from generation.events import Cancelled, Failed, FailureKind, Finished, Progress
from generation.requests import Img2ImgRequest
from generation.serving.queue import Ticket
from tests.generation.conftest import Gates
from tests.generation.samples import request
from tests.generation.serving.served import MakeExecutor, serving, waiting_in


async def test_jobs_wait_for_a_slot_and_are_served_in_order(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("one", "two")
    scripts = {"A": "step gate:one", "B": "step gate:two", "C": "step"}
    async with serving(make_executor(slots=2), scripts) as (service, reports):
        await reports.wait_for(Progress, "A")
        await reports.wait_for(Progress, "B")
        assert set(service.running_job_ids) == {"A", "B"}
        assert waiting_in(service) == ["C"]
        await gates.open("two")
        await reports.wait_for(Finished, "C")  # in B's former slot
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
        service.cancel("A")  # which has ended


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
