"""Faults in the generation process, fifty of each kind: each is recognised, and the next job is done.

    python -m prove.executor_faults

The real child process, its watchdog and the queue's service, with an engine that does what its prompt says. Promised:
every fault is reported by its name, a job that lost its process is done at its second attempt, other faults fail with
their own sentence, and the next job always succeeds.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from generation.events import Event, Failed, FailureKind, Finished, is_final
from generation.executors.budgets import PhaseBudgets
from generation.executors.child import ChildExecutor
from generation.requests import Img2ImgRequest
from generation.sentences import failure_sentence
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService
from prove import KEPT
from prove.page import say_broken, write_line
from prove.rounds import Rounds
from tests.generation.samples import request

INJECTIONS = 50
ENGINE = "tests.generation.scripted_engine:create"
# Short, so that a hundred hangs take minutes, but long for a step that takes no time at all. How budgets grow with the
# machine's pace is tested separately.
BUDGETS = PhaseBudgets(step_seconds=5.0, step_factor=0.0, ping_seconds=0.5, answer_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """A word in the engine's script, the kind as which it should be recognised, and its name on the page."""

    word: str
    kind: FailureKind
    name: str


FAULTS = (
    Fault("out_of_memory", FailureKind.OUT_OF_MEMORY, "out of memory"),
    Fault("broken_output", FailureKind.BROKEN_OUTPUT, "NaN or black"),
    Fault("bug", FailureKind.INTERNAL, "unknown error"),
    Fault("device_lost", FailureKind.DEVICE_LOST, "sticky device error"),
    Fault("segfault", FailureKind.EXECUTOR_CRASHED, "SIGSEGV"),
    Fault("kill", FailureKind.EXECUTOR_KILLED, "SIGKILL"),
    Fault("die", FailureKind.EXECUTOR_DIED, "exit"),
    Fault("hang", FailureKind.EXECUTOR_HUNG, "hang"),
    Fault("freeze", FailureKind.EXECUTOR_HUNG, "frozen process"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one injection."""

    fault: str
    is_recognised: bool
    is_healed: bool  # done at the second attempt, or failed with a sentence where another attempt would not help
    is_next_done: bool
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether it went as promised."""
        return self.is_recognised and self.is_healed and self.is_next_done


class Workshop:
    """A service over a child process, for one job at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._executor = ChildExecutor({"folder": str(folder), "slots": 1}, engine=ENGINE, budgets=BUDGETS)
        self._service = GenerationService(self._executor, load_request=self._load, report=self._report)
        self._scripts: dict[str, str] = {}
        self._ends: dict[str, asyncio.Future[Event]] = {}

    async def __aenter__(self) -> "Workshop":
        self._serving = asyncio.create_task(self._service.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._service.close(grace_seconds=0)
        self._serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving

    async def inject(self, fault: Fault, number: int) -> Outcome:
        """Let a fault hit a job once, then run another job."""
        began, known = time.monotonic(), dict(self._executor.process.losses)
        if fault.kind.is_executor_loss:
            end = await self._do(f"{fault.word}-{number}", f"encode step once:{fault.word}-{number} {fault.word}")
            lost = {kind: times - known.get(kind, 0) for kind, times in self._executor.process.losses.items()}
            is_recognised = {kind: times for kind, times in lost.items() if times} == {fault.kind.value: 1}
            is_healed = isinstance(end, Finished) and end.attempt == 2
        else:
            end = await self._do(f"{fault.word}-{number}", f"encode step {fault.word}")
            is_recognised = isinstance(end, Failed) and end.kind is fault.kind
            is_healed = isinstance(end, Failed) and bool(failure_sentence(end.kind, end.data, end.reference))
        next_end = await self._do(f"after {fault.word}-{number}", "encode step")
        return Outcome(
            fault=fault.word,
            is_recognised=is_recognised,
            is_healed=is_healed,
            is_next_done=isinstance(next_end, Finished),
            seconds=round(time.monotonic() - began, 3),
        )

    async def _do(self, job_id: str, script: str) -> Event:
        self._scripts[job_id] = script
        self._ends[job_id] = asyncio.get_running_loop().create_future()
        self._service.submit(Ticket(job_id=job_id, owner="o", group="g"))
        return await self._ends[job_id]

    async def _load(self, ticket: Ticket) -> Img2ImgRequest:
        return request(self._scripts[ticket.job_id])

    async def _report(self, event: Event) -> None:
        if is_final(event):
            self._ends[event.job_id].set_result(event)


async def inject_all(folder: Path, rounds: Rounds, injections: int) -> list[Outcome]:
    """Inject the missing faults; return all outcomes."""
    done = [Outcome(**each) for each in rounds.all]
    async with Workshop(folder) as workshop:
        for fault in FAULTS:
            for number in range(sum(outcome.fault == fault.word for outcome in done), injections):
                outcome = await workshop.inject(fault, number)
                rounds.add(**asdict(outcome))
                done.append(outcome)
            print(f"{fault.name}: done", file=sys.stderr, flush=True)
    return done


def slowest(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    """Return, for each fault, the maximum seconds that it and the following job took together."""
    return {fault.name: max(outcome.seconds for outcome in outcomes if outcome.fault == fault.word) for fault in FAULTS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every fault was recognised and did not affect the next job."""
    argparse.ArgumentParser(prog="python -m prove.executor_faults").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = asyncio.run(inject_all(Path(folder), Rounds("executor_faults"), INJECTIONS))
    broken = [outcome for outcome in outcomes if not outcome.is_kept]
    if broken:
        return say_broken(broken)
    worst = max(slowest(outcomes).items(), key=lambda item: item[1])
    names = ", ".join(fault.name for fault in FAULTS)
    write_line(
        "Every fault of the generation process is recognised, and the next job succeeds",
        f"{INJECTIONS} each of {names}: {len(outcomes)} of {len(outcomes)};"
        f" the next job was done after at most {worst[1]:.1f} s ({worst[0]})",
        "python -m prove.executor_faults",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
