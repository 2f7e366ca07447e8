"""What fraction of the machine's peak a call of the denoiser reaches, in the dtype and memory format used here.

    python -m benchmarks limit --side 256 --threads 1

The peak is measured, not taken from a data sheet: the highest rate of matrix products (GEMM) over several sizes, on
this device and in this dtype. The highest rate of convolutions is given next to it, which may be higher where weights
are packed in advance. A call's operations are counted by torch without computing them.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import Measured, alternate, arguments, report
from benchmarks.shapes import SHAPE_ARGUMENTS, SHAPES, Shape
from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.calls.denoiser import denoise
from generation.engine.calls.fast_denoiser import compiled_twin
from generation.engine.device import choose_device, choose_dtype
from generation.engine.kernels.huge_pages import moves_to_huge_pages
from generation.engine.kernels.packing import pack_layers
from generation.engine.kernels.preparing import prepare_part

GOAL = {("cpu", 2): "40 %", ("cuda", 2): "30 %", ("cuda", 16): "45 %"}
ROWS = 2
ROWS_ON_A_CARD = (2, 16)  # one picture with guidance, and eight
MATRICES = (512, 1024, 2048, 4096)
MATRICES_ON_A_CARD = (8192,)
CONVOLUTIONS = ((320, 64), (640, 32), (1280, 16))  # channels and side, as in the denoiser at 512 pixels


def operations(shape: Shape, side: int, rows: int = ROWS) -> float:
    """Return the number of floating-point operations of one call."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        shape.empty_denoiser()(**shape.inputs(side, rows, torch.float32, torch.device("meta")))
    return counted.get_total_flops()


def peaks(device: torch.device, dtype: torch.dtype, repeats: int) -> tuple[float, float]:
    """Return the highest rates of matrix products and of convolutions, in operations per second."""
    products: dict[str, Callable[[], object]] = {}
    convolutions: dict[str, Callable[[], object]] = {}
    counts: dict[str, float] = {}
    is_card = device.type == "cuda"
    for size in (*MATRICES, *(MATRICES_ON_A_CARD if is_card else ())):
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        name = f"product {size}"
        products[name], counts[name] = (lambda a=a, b=b: a @ b), 2.0 * size**3
    rows = max(ROWS_ON_A_CARD) if is_card else ROWS
    for channels, side in CONVOLUTIONS:
        layer: Any = torch.nn.Conv2d(channels, channels, 3, padding=1, device=device, dtype=dtype)
        layer.to(memory_format=torch.channels_last)
        picture = torch.randn(rows, channels, side, side).to(device, dtype, memory_format=torch.channels_last)
        name = f"convolution {channels}x{side}"
        convolutions[name] = lambda layer=layer, x=picture: layer(x)
        counts[name] = 18.0 * rows * (channels * side) ** 2
    with torch.inference_mode():
        seconds = alternate({**products, **convolutions}, repeats=max(repeats, 10), warm_ups=2)
    best = {name: counts[name] / min(measured.seconds) for name, measured in seconds.items()}
    return max(best[name] for name in products), max(best[name] for name in convolutions)


def measured_rows(
    options: argparse.Namespace, shape: Shape, device: torch.device, dtype: torch.dtype
) -> list[tuple[object, ...]]:
    """Measure the table's rows for one dtype: on a GPU also captured, and for eight pictures at once."""
    denoiser: Any = shape.denoiser(dtype, options.model)
    denoiser.to(device)
    prepare_part(denoiser, device, dtype, may_pack=not options.compile)  # a compiler cannot use packed weights
    list(pack_layers(denoiser))
    for _ in moves_to_huge_pages():
        pass  # as the engine does when nothing is waiting
    of_products, of_convolutions = peaks(device, dtype, options.repeats)
    denoisers = {"": denoiser}
    if options.compile:
        denoisers["compiled"] = compiled_twin(denoiser, "inductor")
    works: dict[tuple[str, int], Callable[[], object]] = {}
    for how, module in denoisers.items():
        for rows in ROWS_ON_A_CARD if device.type == "cuda" else (ROWS,):
            inputs = shape.inputs(options.side, rows, dtype, device)
            works[how, rows] = partial(module, **inputs)
            if device.type == "cuda":
                told = {"encoder_hidden_states": inputs["encoder_hidden_states"], **(inputs["added_cond_kwargs"] or {})}
                works[f"{how} captured".strip(), rows] = partial(
                    CudaGraphs(device).call,
                    "the only shape",
                    partial(denoise, SimpleNamespace(unet=module)),
                    inputs["sample"],
                    inputs["timestep"],
                    told,
                )
    by_name = {f"{how} {rows}": work for (how, rows), work in works.items()}
    with torch.inference_mode():
        seconds = alternate(by_name, repeats=options.repeats)
    lines: list[tuple[object, ...]] = []
    for how, rows in works:
        call, counted = seconds[f"{how} {rows}"], operations(shape, options.side, rows)
        shares = [
            Measured(tuple(100 * counted / each / most for each in call.seconds))
            for most in (of_products, of_convolutions)
        ]
        lines.append(
            (
                " ".join([str(dtype).removeprefix("torch."), *([how] if how else [])]),
                rows,
                call,
                counted / 1e12,
                of_products / 1e9,
                shares[0],
                GOAL[device.type, rows],
                of_convolutions / 1e9,
                shares[1],
            )
        )
    return lines


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        *SHAPE_ARGUMENTS,
        ("--float32", {"action": "store_true", "help": "measure float32 as well, which takes longer"}),
        ("--compile", {"action": "store_true", "help": "with a compiled denoiser as well, which takes minutes"}),
        values=values,
    )
    device, shape = choose_device("auto"), SHAPES[options.shape]
    taken = choose_dtype("auto", device)
    formats = (torch.float32, taken) if options.float32 and taken != torch.float32 else (taken,)
    report(
        f"limit: a call of {shape.name} at {options.side} pixels",
        (
            "format",
            "rows",
            "seconds",
            "TFLOP",
            "products reach, GFLOP/s",
            "% of it",
            "goal",
            "convolutions reach, GFLOP/s",
            "% of that",
        ),
        [line for dtype in formats for line in measured_rows(options, shape, device, dtype)],
        options.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
