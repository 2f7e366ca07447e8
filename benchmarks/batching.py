"""Requests that share every call of the denoiser, compared with one request after another.

    python -m benchmarks batching                         both workloads, with the embedded model
    python -m benchmarks batching --requests 40 --shape sd15 --side 256
    python -m benchmarks batching --eager                 on an NVIDIA card: again without CUDA graphs

Closed loop: several clients, each sending a new mixed request as soon as its last one is done; measured in pictures
per second, relative to one client. Open loop: requests arrive at random (Poisson) at 0.8 of the capacity of serving
one after another; measured in the time until the first preview and until the result, relative to one after another.
Both really run with the embedded model, and with ``--shape`` on an NVIDIA card. On a CPU, the cost of a call of that
shape is measured for several numbers of rows, and both loops are simulated in virtual time.

The clock counts CPU seconds, or wall-clock seconds with a GPU; when there is nothing to do, it jumps ahead to the next
request.
"""

import argparse
import io
import itertools
import random
import statistics
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.measuring import Measured, arguments, clock, clock_now, report
from benchmarks.model_files import catalog as random_catalog
from benchmarks.virtual_time import Costs, measured_costs, virtual_times
from generation.engine.device import choose_device, choose_dtype
from generation.engine.device_loop import DeviceLoop
from generation.engine.input_picture import fitted_image
from generation.engine.loaded_models.resident_models import ResidentModels
from generation.engine.order import Order
from generation.engine.width import FixedWidth, MeasuredWidth
from generation.models.catalog import Catalog, ModelEntry, load_catalog
from generation.models.hub import Hub
from generation.phases import Phase
from generation.requests import Img2ImgRequest, steps_for_strength
from generation.settings import PACKAGED_MODELS_FILE
from playground.demo import PHOTOGRAPHS

CLIENTS = (1, 2, 4, 8)
SLOTS = 8
MAX_WIDTH = 16
LOAD = 0.8
COST_HELP = (
    "with --shape: instead of measuring, play forward what another machine takes (2=8.2 16=40 encode=5 decode=11)"
)
STRENGTHS = (0.3, 0.5, 0.6, 0.75, 0.75, 0.9)
STEPS = (20, 20, 30, 50)
GOALS_CLOSED = {4: "CPU: ≥ 1.7 embedded, ≥ 1.10 sd15 at 256", 8: "card: ≥ 2 without graphs, ≥ 1.3 with them"}
GOALS_OPEN = {
    "first preview": "CPU: ≤ 0.5 embedded, ≤ 0.4 sd15; card: ≤ 0.1",
    "result": "CPU: ≤ 1.1; card: ≤ 0.5",
}


@dataclass(slots=True)
class Times:
    """What became of a request, in seconds since it arrived."""

    came: float
    first_preview: float = 0.0
    result: float = 0.0


@dataclass(slots=True)
class Clock:
    """Seconds of ``clock_now``, plus those that were skipped."""

    skipped: float = 0.0
    began: float = field(default_factory=clock_now)

    @property
    def now(self) -> float:
        """The seconds so far."""
        return clock_now() - self.began + self.skipped

    def wait_until(self, moment: float) -> None:
        """Skip ahead to a moment."""
        self.skipped += max(0.0, moment - self.now)


class TimedRun:
    """A run that records when its first preview came."""

    def __init__(self, clock: Clock, times: Times) -> None:
        self._clock, self._times = clock, times

    def enter(self, phase: Phase) -> None:
        """Do nothing: no phase is measured here."""

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Record the first preview."""
        if preview is not None and not self._times.first_preview:
            self._times.first_preview = self._clock.now - self._times.came


class Served:
    """A model in a device loop that this process drives itself, for pictures of ``side`` pixels."""

    def __init__(self, entry: ModelEntry, side: int) -> None:
        device = choose_device("auto")
        self._entry, self._side = entry, side
        self._models = ResidentModels(
            Catalog({entry.name: entry}),
            data_dir=Path("data"),
            hub=Hub(),
            device=device,
            dtype=choose_dtype("auto", device),
        )
        self._loop = DeviceLoop(self._models, device, max_width=MAX_WIDTH)
        with Image.open(PHOTOGRAPHS / "coffee.jpg") as opened:
            buffer = io.BytesIO()
            opened.convert("RGB").resize((side, side)).save(buffer, "PNG")
        self._image = buffer.getvalue()

    def stop_capturing(self) -> None:
        """Call the denoiser eagerly from now on."""
        self._models.stop_capturing()

    @torch.no_grad()
    def serve(self, arrivals: Iterator[tuple[float, Img2ImgRequest]], slots: int) -> list[Times]:
        """Serve requests as they arrive, up to ``slots`` concurrently; return how long each took."""
        clock, served = Clock(), list[Times]()
        waiting: deque[tuple[Times, Img2ImgRequest]] = deque()
        running: dict[Order, Times] = {}
        coming = next(arrivals, None)
        while coming or waiting or running:
            while coming and coming[0] <= clock.now:
                waiting.append((Times(coming[0]), coming[1]))
                coming = next(arrivals, None)
            while waiting and len(running) < slots:
                times, request = waiting.popleft()
                order = Order(request, fitted_image(request, self._entry), TimedRun(clock, times))
                running[order] = times
                self._loop.accept(order)
            if running:
                self._loop.turn()
            elif coming:
                clock.wait_until(coming[0])
            for order in [order for order in running if order.pictures[0].done()]:
                order.pictures[0].result()
                times = running.pop(order)
                times.result = clock.now - times.came
                served.append(times)
        return served

    def request(self, number: int, chance: random.Random) -> Img2ImgRequest:
        """Make one of the mixed requests."""
        strength, steps = chance.choice(STRENGTHS), chance.choice(STEPS)
        return Img2ImgRequest(
            image=self._image,
            input_sha256="0" * 64,
            prompt=f"a coffee cup number {number}",
            negative_prompt="",
            strength=strength,
            guidance_scale=4.0,
            num_inference_steps=steps_for_strength(strength, steps),
            seed=number,
            count=1,
            max_pixels=self._side**2,
            model=self._entry.name,
            max_result_bytes=2**24,
            sampler="ddim",
            strength_schedule="index",
        )

    def mixed(self, count: int, seed: int) -> list[Img2ImgRequest]:
        """Make mixed requests, the same ones for the same seed."""
        chance = random.Random(seed)
        return [self.request(number, chance) for number in range(count)]


def closed_loop(model: Served, requests: int, repeats: int) -> list[tuple[object, ...]]:
    """Measure pictures per second for each number of clients, alternately."""
    seconds: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    for repeat in range(repeats + 1):
        for clients in CLIENTS:
            mixed = [(0.0, request) for request in model.mixed(requests, seed=repeat)]
            began = clock()
            model.serve(iter(mixed), slots=clients)
            if repeat:  # the first round warms up and settles the width
                seconds[clients].append(clock() - began)
    alone = seconds[1]
    return [
        (
            clients,
            Measured(tuple(each / requests for each in seconds[clients])),
            Measured(tuple(one / each for one, each in zip(alone, seconds[clients], strict=True))),
            GOALS_CLOSED.get(clients, ""),
        )
        for clients in CLIENTS
    ]


def poisson(count: int, rate: float, seed: int) -> Iterator[float]:
    """Yield random arrival times at a mean rate of ``rate`` per second."""
    chance = random.Random(seed)
    return itertools.accumulate(chance.expovariate(rate) for _ in range(count))


def open_loop(model: Served, requests: int) -> list[tuple[object, ...]]:
    """Measure one after another and concurrently, with the same requests arriving at the same times."""
    sample = model.mixed(8, seed=99)
    began = clock()
    model.serve(iter([(0.0, request) for request in sample]), slots=1)
    rate = LOAD * len(sample) / (clock() - began)
    mixed = model.mixed(requests, seed=7)
    usual, ours = (
        model.serve(zip(poisson(requests, rate, seed=1), mixed, strict=True), slots=slots) for slots in (1, SLOTS)
    )
    return compared(usual, ours)


def compared(usual: Sequence[Times], ours: Sequence[Times]) -> list[tuple[object, ...]]:
    """Return rows that compare the waiting times."""
    rows: list[tuple[object, ...]] = []
    for what, name in (("first_preview", "first preview"), ("result", "result")):
        for share, label in ((0.5, "median"), (0.95, "p95")):
            one, other = (quantile([getattr(times, what) for times in each], share) for each in (usual, ours))
            rows.append((f"{name}, {label}", one, other, other / one, GOALS_OPEN[name] if label == "p95" else ""))
    return rows


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this fraction of the values lies."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def mixed_steps(requests: int) -> list[int]:
    """Return the number of steps of each mixed request."""
    chance = random.Random(7)
    return [max(1, int(chance.choice(STEPS) * chance.choice(STRENGTHS))) for _ in range(requests)]


def cost_of_finding(costs: Costs, requests: int) -> list[tuple[object, ...]]:
    """Compare measuring the width on the calls that are made anyway with knowing it in advance."""
    rows: list[tuple[object, ...]] = []
    for count in (SLOTS, requests):
        arrivals = [(0.0, steps) for steps in mixed_steps(count)]
        found, known = (
            max(came + result for came, _, result in virtual_times(costs, arrivals, SLOTS, make_width))
            for make_width in (MeasuredWidth, FixedWidth)
        )
        rows.append((count, found, known, found / known))
    return rows


def virtual_loops(costs: Costs, requests: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Simulate both workloads with measured costs; see ``benchmarks.virtual_time``."""
    steps = mixed_steps(requests)
    ends = {
        clients: max(
            came + result for came, _, result in virtual_times(costs, [(0.0, each) for each in steps], clients)
        )
        for clients in CLIENTS
    }
    closed: list[tuple[object, ...]] = [
        (n, ends[n] / requests, ends[1] / ends[n], GOALS_CLOSED.get(n, "")) for n in CLIENTS
    ]
    moments = list(poisson(requests, LOAD * requests / ends[1], seed=1))
    usual, ours = (
        [Times(*times) for times in virtual_times(costs, list(zip(moments, steps, strict=True)), slots)]
        for slots in (1, SLOTS)
    )
    return closed, compared(usual, ours)


def cost(text: str) -> tuple[str, float]:
    """Parse ``2=8.2``: the milliseconds of a call with two rows, or of ``encode`` or ``decode``."""
    what, _, milliseconds = text.partition("=")
    if not (what.isdecimal() or what in ("encode", "decode")):
        raise argparse.ArgumentTypeError("say a number of rows, encode or decode, =, and milliseconds")
    return what, float(milliseconds)


def given_costs(milliseconds: Mapping[str, float]) -> Costs:
    """Return costs that were measured on another machine."""
    calls = {int(what): each / 1000 for what, each in milliseconds.items() if what.isdecimal()}
    return Costs(calls, milliseconds.get("encode", 0.0) / 1000, milliseconds.get("decode", 0.0) / 1000)


CLOSED_HEADER = ("clients", "seconds a picture", "times as many as with one", "goal")
OPEN_HEADER = ("seconds until", "one after another", "side by side", "ratio", "goal")


def main(values: Sequence[str] = ()) -> int:
    """Print the tables; return the exit status."""
    more: tuple[tuple[str, dict[str, Any]], ...] = (
        ("--requests", {"type": int, "default": 200, "help": "of the open loop"}),
        ("--shape", {"choices": ["sd15"], "help": "a model of this shape instead of the embedded one"}),
        ("--side", {"type": int, "default": 256, "help": "pixels, with --shape"}),
        ("--cost", {"type": cost, "action": "append", "default": [], "help": COST_HELP, "metavar": "WHAT=MS"}),
        ("--eager", {"action": "store_true", "help": "on an NVIDIA card: once more without CUDA graphs"}),
    )
    options = arguments(__doc__, *more, values=values)
    if options.shape and (options.cost or not torch.cuda.is_available()):
        costs = given_costs(dict(options.cost)) if options.cost else measured_costs(options.side, options.repeats)
        name = f"{options.shape} at {options.side} pixels, calls measured, in virtual time"
        rows = [(rows, costs.call(rows), costs.call(rows) / rows / (costs.call(2) / 2)) for rows in costs.measured]
        report(f"batching: a call of {name}", ("rows", "seconds", "a row, against two"), rows)
        header = ("pictures side by side", "seconds, width found meanwhile", "known before", "times as long")
        report(f"batching: finding the width, {name}", header, cost_of_finding(costs, options.requests))
        closed, opened = virtual_loops(costs, options.requests)
        report_loops(name, closed, opened, options.requests)
        return 0
    if options.shape:
        entry = random_catalog(choose_dtype("auto", choose_device("auto")), options.side)["dpm++2m-karras"]
        model, name = Served(entry, options.side), f"{options.shape} at {options.side} pixels"
    else:
        model, name = Served(load_catalog(PACKAGED_MODELS_FILE)["demo"], 64), "the embedded model"
    closed = closed_loop(model, max(8, options.requests // 8), options.repeats)
    report_loops(name, closed, open_loop(model, options.requests), options.requests)
    if options.eager:
        model.stop_capturing()
        closed = closed_loop(model, max(8, options.requests // 8), options.repeats)
        report_loops(f"{name}, without CUDA graphs", closed, open_loop(model, options.requests), options.requests)
    return 0


def report_loops(
    name: str, closed: Sequence[tuple[object, ...]], opened: Sequence[tuple[object, ...]], requests: int
) -> None:
    """Print both tables."""
    report(f"batching: closed loop, {name}", CLOSED_HEADER, closed)
    report(f"batching: open loop at {LOAD} of capacity, {requests} requests, {name}", OPEN_HEADER, opened)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
