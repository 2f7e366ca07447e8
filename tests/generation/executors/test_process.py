"""How the generation process starts, ends, and is replaced."""

import asyncio

import psutil
import pytest

from generation.errors import ExecutorError
from generation.events import Failed, FailureKind, Progress
from generation.executors.budgets import PhaseBudgets
from generation.models.problems import ModelProblem
from tests.generation.conftest import Gates
from tests.generation.executors.runs import MakeExecutor, events_of, failure_of, next_of, runs_well
from tests.generation.samples import request


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
    assert executor.process.pid is None
    assert not executor.process.is_warm
    assert executor.process.losses == {kind.value: 1}
    await runs_well(executor)


async def test_its_threads_share_their_memory_and_its_libraries_tell_nobody(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    await executor.start()
    environment = psutil.Process(executor.process.pid).environ()
    assert (environment["MALLOC_ARENA_MAX"], environment["ORT_DISABLE_TELEMETRY"]) == ("1", "1")


async def test_a_default_model_that_came_with_a_job_is_as_good(make_executor: MakeExecutor) -> None:
    executor = make_executor(missing=ModelProblem.NOT_A_MODEL, model="demo")
    await executor.start()
    assert not executor.process.is_warm
    await runs_well(executor)
    assert executor.process.is_warm


async def test_one_that_dies_while_nobody_wants_anything_comes_back_but_not_again_and_again(
    make_executor: MakeExecutor,
) -> None:
    executor = make_executor()

    async def dies() -> int:
        """Kill the child once it has its model, wait until that is known, and return the child."""
        while not executor.process.is_warm:
            await runs_well(executor)
        assert executor.process.pid is not None
        (listening,), pid = executor.process._listeners, executor.process.pid
        psutil.Process(pid).kill()
        await listening
        return pid

    first = await dies()
    assert executor.process._reviving is not None
    await executor.process._reviving
    assert executor.process.pid not in (None, first)
    await dies()
    assert executor.process._reviving.done()  # no other one was started
    assert executor.process.pid is None
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


async def test_a_frozen_process_is_noticed_by_its_missing_answers(make_executor: MakeExecutor) -> None:
    executor = make_executor(budgets=PhaseBudgets(ping_seconds=0.05, answer_seconds=0.3))
    assert (await failure_of(executor, "encode freeze")).kind is FailureKind.EXECUTOR_HUNG


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


async def test_two_runs_that_call_the_process_hung_at_the_same_moment_end_it_once(make_executor: MakeExecutor) -> None:
    executor = make_executor()
    await executor.start()
    process, child = executor.process, executor.process.child
    assert child is not None
    await asyncio.gather(*(process.kill(child, FailureKind.EXECUTOR_HUNG) for _ in range(2)))
    assert process.losses == {"executor_hung": 1}
    assert process.child is not child
    await runs_well(executor)
