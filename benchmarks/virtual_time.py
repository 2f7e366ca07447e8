"""The workloads of ``benchmarks.batching`` for a model of realistic size, whose calls are measured and then simulated.

The engine's own ``StepBatch`` and ``MeasuredWidth`` decide which pictures share which call; the denoiser is a clock
that is advanced by the measured duration of a call with as many rows. Encoding and decoding are cut into as many slices
as in the engine.
"""

import bisect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from benchmarks.measuring import alternate
from benchmarks.shapes import AUTOENCODER, SHAPES, random_weights
from generation.engine.denoising import Denoising
from generation.engine.device import choose_device, choose_dtype
from generation.engine.kernels.preparing import prepare_part
from generation.engine.step_batch import StepBatch
from generation.engine.width import FixedWidth, MeasuredWidth

ROWS = (2, 4, 8)
MAX_WIDTH = 16
_ENCODE_SLICES, _DECODE_SLICES = 6, 6


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a call by its number of rows, and of encoding and decoding one picture."""

    measured: Mapping[int, float]
    encode: float
    decode: float

    def call(self, rows: int) -> float:
        """Return the seconds of a call, interpolated or extrapolated linearly from the measured widths."""
        widths = sorted(self.measured)
        right = min(max(1, bisect.bisect_left(widths, rows)), len(widths) - 1)
        low, high = widths[right - 1], widths[right]
        slope = (self.measured[high] - self.measured[low]) / (high - low)
        return self.measured[low] + slope * (rows - low)


def measured_costs(side: int, repeats: int) -> Costs:
    """Measure calls of Stable Diffusion 1.5's shape and its autoencoder, alternately."""
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    unet: Any = SHAPES["sd15"].denoiser(dtype)
    vae: Any = random_weights(lambda: AutoencoderKL(**AUTOENCODER), dtype)
    for module in (unet, vae):
        module.to(device)
        prepare_part(module, device, dtype)  # as the engine does
    inputs = {rows: SHAPES["sd15"].inputs(side, rows, dtype, device) for rows in ROWS}
    pixels = torch.zeros(1, 3, side, side, dtype=dtype, device=device)
    latents = torch.zeros(1, 4, side // 8, side // 8, dtype=dtype, device=device)
    works: dict[str, Any] = {str(rows): lambda rows=rows: unet(**inputs[rows]) for rows in ROWS}
    works |= {"encode": lambda: vae.encode(pixels), "decode": lambda: vae.decode(latents)}
    with torch.inference_mode():
        seconds = alternate(works, repeats=repeats)
    calls = {rows: seconds[str(rows)].median for rows in ROWS}
    return Costs(calls, seconds["encode"].median, seconds["decode"].median)


class _Clock:
    now = 0.0


@dataclass(eq=False)
class _Picture:
    """What a ``StepBatch`` sees of a picture with guidance, with dummy tensors, and its timing."""

    clock: _Clock
    came: float
    steps: int
    encode_left: int = _ENCODE_SLICES
    decode_left: int = _DECODE_SLICES
    rows: int = 2
    index: int = 0
    last_tick: int = 0
    done: int = 0
    failure: BaseException | None = None
    first_preview: float = 0.0
    result: float = 0.0

    def __post_init__(self) -> None:
        self.conditioning = SimpleNamespace(tensors={})
        self.order = SimpleNamespace(step_done=self._step_done)
        self.timesteps = range(self.steps)

    @property
    def is_done(self) -> bool:
        return self.done == self.steps

    def model_input(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(self.rows), torch.zeros(self.rows)

    def advance(self, _: torch.Tensor) -> None:
        self.done += 1

    def preview(self) -> None:
        """Do nothing: previews are not simulated."""

    def _step_done(self, *_: object) -> None:
        if self.done == 1:
            self.first_preview = self.clock.now - self.came


def virtual_times(
    costs: Costs,
    arrivals: Sequence[tuple[float, int]],
    slots: int,
    make_width: Callable[[int], FixedWidth] = MeasuredWidth,
) -> list[tuple[float, float, float]]:
    """Serve pictures, given by arrival time and steps, in ``slots`` concurrently, as ``DeviceLoop.turn`` does.

    Returns the arrival time, the seconds until the first preview and those until the result, in order of the results.
    """
    clock = _Clock()

    def denoiser(latents: torch.Tensor, *_: object) -> torch.Tensor:
        clock.now += costs.call(len(latents))
        return latents

    width = make_width(MAX_WIDTH)
    batch = StepBatch(denoiser, width)
    coming = deque(_Picture(clock, came, steps) for came, steps in arrivals)
    waiting: deque[_Picture] = deque()
    sliced: deque[_Picture] = deque()
    served: list[_Picture] = []
    running = tick = 0
    step_seconds = 0.0
    while coming or waiting or running:
        while coming and coming[0].came <= clock.now:
            waiting.append(coming.popleft())
        while waiting and running < slots:
            sliced.append(waiting.popleft())
            running += 1
        if not running:
            clock.now = max(clock.now, coming[0].came)
            continue
        end = clock.now + step_seconds
        while sliced:
            picture = sliced.popleft()
            if picture.encode_left:
                picture.encode_left -= 1
                clock.now += costs.encode / _ENCODE_SLICES
                if picture.encode_left:
                    sliced.appendleft(picture)
                else:
                    batch.add(cast(Denoising, picture), tick)
            else:
                picture.decode_left -= 1
                clock.now += costs.decode / _DECODE_SLICES
                if picture.decode_left:
                    sliced.appendleft(picture)
                else:
                    picture.result = clock.now - picture.came
                    served.append(picture)
                    running -= 1
            if clock.now >= end:
                break
        if batch.pictures:
            tick += 1
            began = clock.now
            admitted, left = batch.step(tick)
            step_seconds = clock.now - began
            width.learn(sum(each.rows for each in admitted), step_seconds)
            sliced.extend(cast(list[_Picture], left))
    return [(picture.came, picture.first_preview, picture.result) for picture in served]
