"""The executor protocol, with a real child process, real pipes and two slots."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import psutil
import pytest

from generation.errors import ExecutorError
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.budgets import Phase, PhaseBudgets
from generation.executors.child import ChildExecutor
from generation.models.problems import ModelProblem
from tests.generation.conftest import Gates
from tests.generation.samples import request

MakeExecutor = Callable[..., ChildExecutor]

T = TypeVar("T", bound=Event)
SHORT_SILENCE = PhaseBudgets(load_seconds=0.3, first_step_seconds=0.3, step_seconds=0.3, decode_seconds=0.3)


async def events_of(executor: ChildExecutor, job_id: str, script: str, attempt: int = 1) -> list[Event]:
    return [event async for event in executor.run(job_id, attempt, request(script))]


async def next_of(events: AsyncIterator[Event], kind: type[T]) -> T:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} came")


async def failure_of(executor: ChildExecutor, script: str) -> Failed:
    """Return how a run of a script fails."""
    *_, last = await events_of(executor, "A", script)
    assert isinstance(last, Failed)
    return last


async def runs_well(executor: ChildExecutor) -> None:
    """Hold that a run succeeds now; if another is under way, the child has then taken every message sent before."""
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)


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
    assert (executor.slots, executor.device, executor.dtype) == (2, "none", "float32")


async def test_two_runs_are_in_flight_at_once_and_do_not_mix(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("a", "b", "c")
    executor = make_executor()
    first = executor.run("A", 1, request("encode step gate:a step gate:c step"))
    second = executor.run("B", 1, request("encode gate:b step"))
    await next_of(first, Progress)
    await next_of(second, Started)
    await gates.open("a")  # A goes on while B waits
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
    assert await anext(events) == Cancelled(job_id="A", attempt=1)  # although the gate is shut
    await gates.open("gate")
    assert [event async for event in events] == []  # ends when the slot is free; the result never shows


async def test_cancel_while_denoising_stops_at_the_next_step(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("gate")
    executor = make_executor()
    events = executor.run("A", 1, request("encode step gate:gate step die"))  # going on would kill the child
    await next_of(events, Progress)
    pid = executor.pid
    executor.cancel("A")
    assert await anext(events) == Cancelled(job_id="A", attempt=1)
    await runs_well(executor)
    await gates.open("gate")
    assert [event async for event in events] == []
    await runs_well(executor)
    assert executor.pid == pid


async def test_cancel_while_the_child_starts_is_answered_at_once(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    events = executor.run("A", 1, request("step"))
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)  # the run is known now, its child is not there yet
    executor.cancel("A")
    assert await first == Cancelled(job_id="A", attempt=1)
    assert executor.pid is None
    assert [event async for event in events] == []


async def test_leaving_the_iterator_cancels_the_run(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("gate")
    executor = make_executor()
    async with contextlib.aclosing(executor.run("A", 1, request("step gate:gate step die"))) as events:
        await next_of(events, Progress)
    pid = executor.pid
    await runs_well(executor)
    await gates.open("gate")
    await runs_well(executor)
    assert executor.pid == pid


async def test_messages_of_an_old_attempt_are_dropped(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("old", "new")
    executor = make_executor()
    async with contextlib.aclosing(executor.run("A", 1, request("step gate:old"))) as old:
        await next_of(old, Progress)
    new = executor.run("A", 2, request("step gate:new step"))
    await next_of(new, Progress)
    await gates.open("old")  # the child now finishes attempt 1 and says so
    await events_of(executor, "B", "step")  # its messages come after those of attempt 1
    await gates.open("new")
    rest = [event async for event in new]
    assert [(type(event), event.attempt) for event in rest] == [(Progress, 2), (Finished, 2)]


@pytest.mark.parametrize(
    ("death", "kind"),
    [
        ("die", FailureKind.EXECUTOR_DIED),
        ("segfault", FailureKind.EXECUTOR_CRASHED),
        ("kill", FailureKind.EXECUTOR_KILLED),
        ("device_lost", FailureKind.DEVICE_LOST),
    ],
)
async def test_death_is_noticed_and_the_next_run_gets_a_new_child(
    make_executor: MakeExecutor, death: str, kind: FailureKind
) -> None:
    executor = make_executor()
    assert (await failure_of(executor, f"encode step {death}")).kind is kind
    assert executor.pid is None
    assert not executor.is_warm
    assert executor.losses == {kind.value: 1}
    await runs_well(executor)


async def test_a_default_model_that_came_with_a_job_is_as_good(make_executor: MakeExecutor) -> None:
    executor = make_executor(missing=ModelProblem.NOT_A_MODEL, model="demo")
    await executor.start()
    assert not executor.is_warm
    await runs_well(executor)
    assert executor.is_warm


async def test_one_that_dies_while_nobody_wants_anything_comes_back_but_not_again_and_again(
    make_executor: MakeExecutor,
) -> None:
    executor = make_executor()

    async def dies() -> int:
        """Kill the child when it has its model, wait until that is known, and return which one it was."""
        while not executor.is_warm:
            await runs_well(executor)
        assert executor.pid is not None
        (listening,), pid = executor._listeners, executor.pid
        psutil.Process(pid).kill()
        await listening
        return pid

    first = await dies()
    assert executor._reviving is not None
    await executor._reviving
    assert executor.pid not in (None, first)
    await dies()
    assert executor._reviving.done()  # there is no other one
    assert executor.pid is None
    await runs_well(executor)


async def test_death_ends_every_run_of_the_child(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("never", "go")
    executor = make_executor()
    bystander = executor.run("A", 1, request("step gate:never"))
    await next_of(bystander, Progress)
    culprit = asyncio.create_task(events_of(executor, "B", "step gate:go die"))
    await gates.open("go")
    failed = await next_of(bystander, Failed)
    assert failed.kind is FailureKind.EXECUTOR_DIED
    assert isinstance((await culprit)[-1], Failed)


@pytest.mark.parametrize("phase", ["load", "encode", "encode step", "decode"])
async def test_a_hang_is_noticed_in_every_phase(make_executor: MakeExecutor, phase: str) -> None:
    executor = make_executor(budgets=SHORT_SILENCE)
    assert (await failure_of(executor, f"{phase} hang")).kind is FailureKind.EXECUTOR_HUNG
    assert executor.losses == {"executor_hung": 1}
    executor._budgets = PhaseBudgets()  # the next one is asked whether it ends, not how quickly
    await runs_well(executor)


async def test_a_frozen_process_is_noticed_by_its_missing_answers(make_executor: MakeExecutor) -> None:
    executor = make_executor(budgets=PhaseBudgets(ping_seconds=0.05, answer_seconds=0.3))
    assert (await failure_of(executor, "encode freeze")).kind is FailureKind.EXECUTOR_HUNG


async def test_a_run_is_allowed_what_earlier_ones_have_taken(make_executor: MakeExecutor, gates: Gates) -> None:
    """The same silence that is a hang at first is none once a load has taken long."""
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
    pid = executor.pid
    assert (await failure_of(executor, f"encode step {word}")).kind is kind
    await runs_well(executor)
    assert executor.pid == pid


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


async def test_an_engine_that_cannot_be_made_says_why(make_executor: MakeExecutor) -> None:
    executor = make_executor(broken=True)
    with pytest.raises(ExecutorError, match="broken on purpose"):
        await executor.start()
    events = await events_of(executor, "A", "step")
    assert [type(event) for event in events] == [Failed]
    assert isinstance(events[0], Failed)
    assert events[0].kind is FailureKind.EXECUTOR_UNAVAILABLE


async def test_a_child_that_dies_at_its_start_is_tried_again(make_executor: MakeExecutor, gates: Gates) -> None:
    executor = make_executor(dies_at_start=str(gates.folder / "died"))
    await runs_well(executor)
