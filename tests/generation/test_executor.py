"""The executor protocol, with a real child process, real pipes and two slots."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import psutil
import pytest

from generation.errors import ExecutorError, ModelUnavailable
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.budgets import Pace, Phase, PhaseBudgets
from generation.executors.child import ChildExecutor
from generation.executors.worker import Worker, import_function
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


async def all_messages_handled(executor: ChildExecutor) -> None:
    """Wait until the child has taken every message sent so far, by a run in its second slot."""
    assert isinstance((await events_of(executor, "last", "step"))[-1], Finished)


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
    assert isinstance(progress, Progress)
    assert (progress.job_id, progress.step) == ("A", 2)
    await gates.open("b")  # B overtakes A
    finished = await next_of(second, Finished)
    assert isinstance(finished, Finished)
    assert finished.job_id == "B"
    await gates.open("c")
    finished = await next_of(first, Finished)
    assert isinstance(finished, Finished)
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
    await all_messages_handled(executor)
    await gates.open("gate")
    assert [event async for event in events] == []
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)
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
    await all_messages_handled(executor)
    await gates.open("gate")
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)
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
    events = await events_of(executor, "A", f"encode step {death}")
    assert isinstance(events[-1], Failed)
    assert events[-1].kind is kind
    assert executor.pid is None
    assert not executor.is_warm
    assert executor.losses == {kind.value: 1}
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)


async def test_a_default_model_that_came_with_a_job_is_as_good(make_executor: MakeExecutor) -> None:
    executor = make_executor(missing=ModelProblem.NOT_A_MODEL, model="demo")
    await executor.start()
    assert not executor.is_warm
    assert isinstance((await events_of(executor, "A", "step"))[-1], Finished)
    assert executor.is_warm


@pytest.mark.parametrize(
    ("reason", "tries"), [(ModelProblem.UNREACHABLE, 3), (ModelProblem.CUT_OFF, 3), (ModelProblem.NO_FOLDER, 1)]
)
def test_a_default_model_is_tried_again_if_what_keeps_it_away_may_pass(
    reason: ModelProblem, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.executors.worker._FIRST_PAUSE_SECONDS", 0.0)
    said, seen = list[str](), list[int]()

    class Engine:
        def preload(self) -> None:
            seen.append(1)
            if len(seen) < 3:
                raise ModelUnavailable("demo", reason, source="a/demo", folder="/demo")

    worker = Worker(cast("Any", SimpleNamespace(send=said.append)))
    worker._warm_up(cast("Any", Engine()))
    assert (len(seen), said) == (tries, ["warm"] if tries == 3 else [])


async def test_one_that_dies_while_nobody_wants_anything_comes_back_but_not_again_and_again(
    make_executor: MakeExecutor,
) -> None:
    executor = make_executor()

    async def dies() -> int:
        """Kill the child when it has its model, wait until that is known, and return which one it was."""
        while not executor.is_warm:
            await all_messages_handled(executor)
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
    await all_messages_handled(executor)


async def test_death_ends_every_run_of_the_child(make_executor: MakeExecutor, gates: Gates) -> None:
    gates.make("never", "go")
    executor = make_executor()
    bystander = executor.run("A", 1, request("step gate:never"))
    await next_of(bystander, Progress)
    culprit = asyncio.create_task(events_of(executor, "B", "step gate:go die"))
    await gates.open("go")
    failed = await next_of(bystander, Failed)
    assert isinstance(failed, Failed)
    assert failed.kind is FailureKind.EXECUTOR_DIED
    assert isinstance((await culprit)[-1], Failed)


@pytest.mark.parametrize("phase", ["load", "encode", "encode step", "decode"])
async def test_a_hang_is_noticed_in_every_phase(make_executor: MakeExecutor, phase: str) -> None:
    executor = make_executor(budgets=SHORT_SILENCE)
    events = await events_of(executor, "A", f"{phase} hang")
    assert isinstance(events[-1], Failed)
    assert events[-1].kind is FailureKind.EXECUTOR_HUNG
    assert executor.losses == {"executor_hung": 1}
    executor._budgets = PhaseBudgets()  # the next one is asked whether it ends, not how quickly
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)


async def test_a_frozen_process_is_noticed_by_its_missing_answers(make_executor: MakeExecutor) -> None:
    executor = make_executor(budgets=PhaseBudgets(ping_seconds=0.05, answer_seconds=0.3))
    events = await events_of(executor, "A", "encode freeze")
    assert isinstance(events[-1], Failed)
    assert events[-1].kind is FailureKind.EXECUTOR_HUNG


def test_budgets_grow_with_the_slowest_step() -> None:
    budgets = PhaseBudgets(step_seconds=30, step_factor=10, decode_seconds=60, decode_factor=20)
    assert budgets.seconds_for(Phase.DENOISE, 0.1) == 30
    assert budgets.seconds_for(Phase.DENOISE, 9.0) == 90
    assert budgets.seconds_for(Phase.DECODE, 9.0) == 180


def test_budgets_grow_with_what_a_phase_has_lately_taken() -> None:
    budgets, pace = PhaseBudgets(load_seconds=60, decode_seconds=60, pace_factor=5), Pace(remembered=2)
    assert pace.longest_seconds("a", Phase.DECODE) == 0
    pace.note("a", Phase.DECODE, 100.0)  # of a slow processor: no hang, so the next one may take as long
    assert budgets.seconds_for(Phase.DECODE, 0.0, pace.longest_seconds("a", Phase.DECODE)) == 500
    assert pace.longest_seconds("a", Phase.LOAD) == pace.longest_seconds("b", Phase.DECODE) == 0
    for _ in range(2):
        pace.note("a", Phase.DECODE, 1.0)
    assert budgets.seconds_for(Phase.DECODE, 0.0, pace.longest_seconds("a", Phase.DECODE)) == 60


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
    events = await events_of(executor, "A", f"encode step {word}")
    assert isinstance(events[-1], Failed)
    assert events[-1].kind is kind
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)
    assert executor.pid == pid


async def test_a_lost_device_ends_the_child(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    await executor.start()
    pid = executor.pid
    events = await events_of(executor, "A", "encode step device_lost")
    assert isinstance(events[-1], Failed)
    assert events[-1].kind is FailureKind.DEVICE_LOST
    assert isinstance((await events_of(executor, "B", "step"))[-1], Finished)
    assert executor.pid != pid


async def test_an_unknown_error_is_logged_with_its_reference_and_without_its_message(
    make_executor: MakeExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    events = await events_of(make_executor(), "A", "encode bug")
    assert isinstance(events[-1], Failed)
    logged = capfd.readouterr().err
    assert len(events[-1].reference) == 8
    assert f"job A failed [{events[-1].reference}]" in logged
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
    assert isinstance((await events_of(executor, "A", "step"))[-1], Finished)


@pytest.mark.parametrize("succeeds", [True, False])
def test_garbage_is_looked_for_before_and_after_the_engine_is_imported_but_not_meanwhile(
    succeeds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"collected_{succeeds}".lower()
    (tmp_path / f"{name}.py").write_text(f"import gc\nlooked = [gc.isenabled()]\nassert {succeeds}\n")
    if succeeds:
        assert import_function(f"{name}:looked") == [False]
    else:
        with pytest.raises(AssertionError):
            import_function(f"{name}:looked")
    assert gc.isenabled()
