"""How late the bot's event loop wakes up while the executor loads, generates and is cancelled, compared with idle.

    python -m benchmarks event_loop

A ticker in the process that has the executor as its child, as the bot does, sleeps for 5 ms at a time and records how
late it was woken. The process asks for short scheduler time slices, as the bot's does. The phases alternate in one run,
so that a busy machine affects all alike.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks.requests_made import request
from bot.time_slices import request_short_time_slices
from generation.events import Cancelled, Finished, Progress
from generation.executors.child import ChildExecutor
from generation.settings import GenerationSettings

TICK_SECONDS = 0.005
IDLE_SECONDS = 5.0
ROUNDS = 3
GOAL = 3.0
SIDE = 128
LONG = {"num_inference_steps": 50, "strength": 1.0, "count": 4}


class Ticker:
    """Wakes up every 5 ms and records, in milliseconds, how late it was in each phase."""

    def __init__(self) -> None:
        self.late: dict[str, list[float]] = {"idle": [], "loading": [], "generating": [], "cancelling": []}

    @contextlib.asynccontextmanager
    async def during(self, phase: str) -> AsyncIterator[None]:
        """Tick until the block ends."""
        ticking = asyncio.create_task(self._tick(self.late[phase]))
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick(self, late: list[float]) -> None:
        while True:
            wanted = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            late.append(max(time.perf_counter() - wanted, 0.0) * 1000)


async def one_round(ticker: Ticker, data_dir: Path, number: int) -> None:
    """Measure each phase once, with a fresh executor."""
    settings = GenerationSettings(data_dir=data_dir)
    executor = ChildExecutor(settings.for_child())
    # Made here, because making a picture is work that the bot's event loop never does.
    short, long = request(SIDE, settings.model), request(SIDE, settings.model, **LONG)
    async with ticker.during("idle"):
        await asyncio.sleep(IDLE_SECONDS)
    try:
        async with ticker.during("loading"):
            await executor.start()
            while not executor.process.is_warm:  # noqa: ASYNC110 - is_warm is only a flag
                await asyncio.sleep(TICK_SECONDS)
        async with ticker.during("generating"):
            events = [event async for event in executor.run(f"whole {number}", 1, short)]
        assert isinstance(events[-1], Finished), events[-1]
        async with ticker.during("cancelling"):
            for attempt in range(1, 4):
                job_id = f"cancelled {number}"
                events = []
                async with contextlib.aclosing(executor.run(job_id, attempt, long)) as told:
                    async for event in told:
                        events.append(event)
                        if isinstance(event, Progress):
                            executor.cancel(job_id)
                assert isinstance(events[-1], Cancelled), events[-1]
    finally:
        await executor.stop()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the fraction ``share`` of the values lies."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


async def measure(rounds: int) -> Ticker:
    """Measure several rounds."""
    ticker = Ticker()
    with tempfile.TemporaryDirectory() as data_dir:
        for number in range(rounds):
            await one_round(ticker, Path(data_dir), number)
    return ticker


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="how often each phase is measured")
    rounds = parser.parse_args(list(values)).rounds
    request_short_time_slices()
    late = asyncio.run(measure(rounds)).late
    idle = percentile(late["idle"], 0.99)
    rows = [
        {
            "phase": phase,
            "ticks": len(values),
            "late p50, ms": round(statistics.median(values), 2),
            "late p99, ms": round(percentile(values, 0.99), 2),
            "worst, ms": round(max(values), 2),
            "p99 / idle p99": round(percentile(values, 0.99) / idle, 2),
            "goal": GOAL if phase != "idle" else "",
        }
        for phase, values in late.items()
    ]
    header = list(rows[0])
    for cells in (header, ["---"] * len(header), *([str(cell) for cell in row.values()] for row in rows)):
        print("| " + " | ".join(cells) + " |")
    print("\n" + json.dumps({"benchmark": "event_loop", "rounds": rounds, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
