"""The executor protocol, with a real child process, real pipes and two slots."""

import asyncio
import contextlib

import pytest

from generation.events import Cancelled, FailureKind, Finished, Progress, Started
from generation.executors.budgets import PhaseBudgets
from generation.phases import Phase
from tests.generation.conftest import Gates
from tests.generation.executors.runs import MakeExecutor, events_of, failure_of, next_of, runs_well
from tests.generation.samples import request

SHORT_SILENCE = PhaseBudgets(load_seconds=0.3, first_step_seconds=0.3, step_seconds=0.3, decode_seconds=0.3)


async def test_a_run_is_told_in_order_and_its_result_arrives_whole(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    await executor.start()
    events = await events_of(executor, "A", "load encode step step decode")
    assert [type(event) for event in events] == [Started, Progress, Progress, Finished]
    started, first, second, finished = events
    assert isinstance(started, Started)
    assert started.total_steps == 2
    assert isinstance(first, Progress)
    assert (first.step, first.total_steps, first.preview) == (1, 2, b"preview")
    assert isinstance(second, Progress)
    assert (second.step, second.preview) == (2, None)
    assert isinstance(finished, Finished)
    assert finished.attempt == 1
    assert finished.result.pictures[0].data == b"load encode step step decode"
    assert finished.result.pictures[0].parameters == {"prompt": "load encode step step decode"}
    assert (executor.slots, executor.process.device, executor.process.dtype) == (2, "none", "float32")


async def test_two_runs_are_in_flight_at_once_and_do_not_mix(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("a", "b", "c")
    executor = make_executor()
    first = executor.run("A", 1, request("encode step gate:a step gate:c step"))
    second = executor.run("B", 1, request("encode gate:b step"))
    await next_of(first, Progress)
    await next_of(second, Started)
    await gates.open("a")  # A continues while B waits
    progress = await next_of(first, Progress)
    assert (progress.job_id, progress.step) == ("A", 2)
    await gates.open("b")  # B overtakes A
    finished = await next_of(second, Finished)
    assert finished.job_id == "B"
    await gates.open("c")
    finished = await next_of(first, Finished)
    assert finished.job_id == "A"


@pytest.mark.parametrize("where", ["load", "encode", "decode"])
async def test_cancel_is_answered_at_once_and_the_result_is_dropped(
    make_executor: MakeExecutor, gates: Gates, where: str
) -> None:
    gates.make("arrived", "gate")
    executor = make_executor()
    events = executor.run("A", 1, request(f"{where} gate:arrived gate:gate"))
    await next_of(events, Started)
    await gates.open("arrived")
    executor.cancel("A")
    assert await anext(events) == Cancelled(job_id="A", attempt=1)  # although the gate is closed
    await gates.open("gate")
    assert [event async for event in events] == []  # ends when the slot is free; the result never appears


async def test_cancel_while_denoising_stops_at_the_next_step(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("gate")
    executor = make_executor()
    events = executor.run("A", 1, request("encode step gate:gate step die"))  # continuing would kill the child
    await next_of(events, Progress)
    pid = executor.process.pid
    executor.cancel("A")
    assert await anext(events) == Cancelled(job_id="A", attempt=1)
    await runs_well(executor)
    await gates.open("gate")
    assert [event async for event in events] == []
    await runs_well(executor)
    assert executor.process.pid == pid


async def test_cancel_while_the_child_starts_is_answered_at_once(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    events = executor.run("A", 1, request("step"))
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)  # the run is registered, but its child has not started
    executor.cancel("A")
    assert await first == Cancelled(job_id="A", attempt=1)
    assert executor.process.pid is None
    assert [event async for event in events] == []


async def test_leaving_the_iterator_cancels_the_run(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("gate")
    executor = make_executor()
    async with contextlib.aclosing(executor.run("A", 1, request("step gate:gate step die"))) as events:
        await next_of(events, Progress)
    pid = executor.process.pid
    await runs_well(executor)
    await gates.open("gate")
    await runs_well(executor)
    assert executor.process.pid == pid


async def test_messages_of_an_old_attempt_are_dropped(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("old", "new")
    executor = make_executor()
    async with contextlib.aclosing(executor.run("A", 1, request("step gate:old"))) as old:
        await next_of(old, Progress)
    new = executor.run("A", 2, request("step gate:new step"))
    await next_of(new, Progress)
    await gates.open("old")  # the child now finishes attempt 1 and reports it
    await events_of(executor, "B", "step")  # its messages come after those of attempt 1
    await gates.open("new")
    rest = [event async for event in new]
    assert [(type(event), event.attempt) for event in rest] == [(Progress, 2), (Finished, 2)]


@pytest.mark.parametrize("phase", ["load", "encode", "encode step", "decode"])
async def test_a_hang_is_noticed_in_every_phase(make_executor: MakeExecutor, phase: str) -> None:
    executor = make_executor(budgets=SHORT_SILENCE)
    assert (await failure_of(executor, f"{phase} hang")).kind is FailureKind.EXECUTOR_HUNG
    assert executor.process.losses == {"executor_hung": 1}
    executor._budgets = PhaseBudgets()  # the next one tests whether it ends, not how quickly
    await runs_well(executor)


async def test_a_run_is_allowed_what_earlier_ones_have_taken(make_executor: MakeExecutor, gates: Gates) -> None:
    """A silence that first counts as a hang no longer does once a load has taken long."""
    gates.make("load")
    budgets = PhaseBudgets(load_seconds=600.0, pace_factor=1000.0)
    executor = make_executor(budgets=budgets)
    run = asyncio.create_task(events_of(executor, "A", "load gate:load encode step"))
    await gates.open("load")
    assert isinstance((await run)[-1], Finished)
    pace = executor._pace
    assert pace.longest_seconds("demo", Phase.LOAD) > 0
    assert pace.longest_seconds("demo", Phase.ENCODE) > 0


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("out_of_memory", FailureKind.OUT_OF_MEMORY),
        ("broken_output", FailureKind.BROKEN_OUTPUT),
        ("model_unavailable", FailureKind.MODEL_UNAVAILABLE),
        ("bug", FailureKind.INTERNAL),
    ],
)
async def test_a_failure_of_the_run_leaves_the_child_alive(
    make_executor: MakeExecutor, word: str, kind: FailureKind
) -> None:
    executor = make_executor()
    await executor.start()
    pid = executor.process.pid
    assert (await failure_of(executor, f"encode step {word}")).kind is kind
    await runs_well(executor)
    assert executor.process.pid == pid


async def test_an_unknown_error_is_logged_with_its_reference_and_without_its_message(
    make_executor: MakeExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    failed = await failure_of(make_executor(), "encode bug")
    logged = capfd.readouterr().err
    assert len(failed.reference) == 8
    assert f"job A failed [{failed.reference}]" in logged
    assert "builtins.RuntimeError" in logged
    assert "in _go_wrong" in logged
    assert "SECRET" not in logged.replace('raise RuntimeError("a message that quotes the SECRET prompt")', "")
