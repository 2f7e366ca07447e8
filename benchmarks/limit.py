"""What share of the machine's peak a call of the denoiser reaches, in the format and layout that is taken here.

    python -m benchmarks limit --side 256 --threads 1

The peak is measured, not read from a data sheet: the most that matrix products (GEMM) of any of several sizes reach on
this device in this format, and beside it the most that convolutions reach, which may be more where weights are brought
into order beforehand. A call's operations are counted by torch without computing them.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import Measured, alternate, arguments, report
from benchmarks.shapes import SHAPE_ARGUMENTS, SHAPES, Shape
from generation.engine.device import choose_device, choose_dtype
from generation.engine.huge_pages import moves_to_huge_pages
from generation.engine.kernels import prepare_part
from generation.engine.packing import pack_layers

GOAL = {"cpu": "40 %", "cuda": "30 %"}
ROWS = 2
MATRICES = (512, 1024, 2048, 4096)
CONVOLUTIONS = ((320, 64), (640, 32), (1280, 16))  # channels and side, as in the denoiser at 512 pixels


def operations(shape: Shape, side: int) -> float:
    """Return the floating-point operations of one call."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        shape.empty_denoiser()(**shape.inputs(side, ROWS, torch.float32, torch.device("meta")))
    return counted.get_total_flops()


def peaks(device: torch.device, dtype: torch.dtype, repeats: int) -> tuple[float, float]:
    """Return the most operations in a second of matrix products and of convolutions."""
    products: dict[str, Callable[[], object]] = {}
    convolutions: dict[str, Callable[[], object]] = {}
    counts: dict[str, float] = {}
    for size in MATRICES:
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        name = f"product {size}"
        products[name], counts[name] = (lambda a=a, b=b: a @ b), 2.0 * size**3
    for channels, side in CONVOLUTIONS:
        layer: Any = torch.nn.Conv2d(channels, channels, 3, padding=1, device=device, dtype=dtype)
        layer.to(memory_format=torch.channels_last)
        picture = torch.randn(ROWS, channels, side, side).to(device, dtype, memory_format=torch.channels_last)
        name = f"convolution {channels}x{side}"
        convolutions[name] = lambda layer=layer, x=picture: layer(x)
        counts[name] = 18.0 * ROWS * (channels * side) ** 2
    with torch.inference_mode():
        seconds = alternate({**products, **convolutions}, repeats=max(repeats, 10), warm_ups=2)
    best = {name: counts[name] / min(measured.seconds) for name, measured in seconds.items()}
    return max(best[name] for name in products), max(best[name] for name in convolutions)


def row(
    options: argparse.Namespace, shape: Shape, device: torch.device, dtype: torch.dtype, counted: float
) -> tuple[object, ...]:
    """Measure one line of the table."""
    denoiser: Any = shape.denoiser(dtype, options.model)
    denoiser.to(device)
    prepare_part(denoiser, device, dtype)
    pack_layers(denoiser)
    for _ in moves_to_huge_pages():
        pass  # as the engine does when nobody waits
    inputs = shape.inputs(options.side, ROWS, dtype, device)
    of_products, of_convolutions = peaks(device, dtype, options.repeats)
    with torch.inference_mode():
        call = alternate({"call": lambda: denoiser(**inputs)}, repeats=options.repeats)["call"]
    shares = [
        Measured(tuple(100 * counted / seconds / most for seconds in call.seconds))
        for most in (of_products, of_convolutions)
    ]
    name = str(dtype).removeprefix("torch.")
    return name, call, counted / 1e12, of_products / 1e9, shares[0], GOAL[device.type], of_convolutions / 1e9, shares[1]


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        *SHAPE_ARGUMENTS,
        ("--float32", {"action": "store_true", "help": "measure float32 as well, which takes longer"}),
        values=values,
    )
    device, shape = choose_device("auto"), SHAPES[options.shape]
    counted = operations(shape, options.side)
    taken = choose_dtype("auto", device)
    formats = (torch.float32, taken) if options.float32 and taken != torch.float32 else (taken,)
    rows = [row(options, shape, device, dtype, counted) for dtype in formats]
    report(
        f"limit: a call of {shape.name} at {options.side} pixels, {ROWS} rows",
        (
            "format",
            "seconds",
            "TFLOP",
            "products reach, GFLOP/s",
            "% of it",
            "goal",
            "convolutions reach, GFLOP/s",
            "% of that",
        ),
        rows,
        options.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
