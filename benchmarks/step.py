"""One call of the denoiser as we compute it, compared with diffusers' own in float32.

    python -m benchmarks step --side 256 --threads 1
    python -m benchmarks step --side 512 --repeats 2

A call has a negative and a positive row, as with guidance. The rows of the table add one measure after another: dtype,
memory format, attention; on a CPU, packed weights together with whichever of the others the engine uses; with CUDA, the
call as a graph; and with --compile, torch's compiler, with CUDA as a graph too. The last column is the distance to
float32, as relative L2.
"""

import copy
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from benchmarks.measuring import alternate, arguments, report, speedups
from benchmarks.shapes import SHAPE_ARGUMENTS, SHAPES
from generation.engine.calls.cuda_graphs import CudaGraphs
from generation.engine.calls.denoiser import denoise
from generation.engine.calls.fast_denoiser import compiled_twin
from generation.engine.device import choose_device
from generation.engine.kernels.attention_processor import CpuAttnProcessor
from generation.engine.kernels.packing import pack_layers
from generation.engine.kernels.preparing import prepare_part
from generation.engine.kernels.probe import (
    bfloat16_pays,
    blocked_attention_pays,
    channels_last_pays,
    packing_pays,
    padded_attention_pays,
)

GOAL = "2.4"
ROWS = 2
# dtype, memory format, and attention processor.
USUAL, BLOCKED = AttnProcessor2_0(), CpuAttnProcessor(in_blocks=True, pads_keys=False)
PADDED = CpuAttnProcessor(in_blocks=False, pads_keys=True)
MEASURES: dict[str, tuple[torch.dtype, torch.memory_format, AttnProcessor2_0]] = {
    "float32": (torch.float32, torch.contiguous_format, USUAL),
    "bfloat16": (torch.bfloat16, torch.contiguous_format, USUAL),
    "bfloat16, channels last": (torch.bfloat16, torch.channels_last, USUAL),
    "bfloat16, channels last, blocked": (torch.bfloat16, torch.channels_last, BLOCKED),
    "bfloat16, channels last, padded": (torch.bfloat16, torch.channels_last, PADDED),
}
PACKED = "as the engine runs it, packed"
COMPILED = "bfloat16, channels last, compiled"
CAPTURED = "as the engine runs it, captured"
COMPILED_AND_CAPTURED = "as the engine runs it, compiled and captured"


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        *SHAPE_ARGUMENTS,
        ("--compile", {"action": "store_true", "help": "with a compiled denoiser as well, which takes minutes"}),
        ("--packed", {"action": "store_true", "help": "nothing but packed weights against float32: less in memory"}),
        values=values,
    )
    device = choose_device("auto")
    captures = device.type == "cuda"
    wanted = {
        PACKED: device.type == "cpu",
        CAPTURED: captures,
        COMPILED: options.compile,
        COMPILED_AND_CAPTURED: options.compile and captures,
    }
    more = [name for name, is_wanted in wanted.items() if is_wanted]
    measures = MEASURES | dict.fromkeys(more, MEASURES["bfloat16, channels last"])
    if options.packed:
        measures = {name: measures[name] for name in ("float32", PACKED)}
    shape = SHAPES[options.shape]
    denoisers: dict[str, Any] = {}
    for dtype in dict.fromkeys(measures[name][0] for name in measures if name != PACKED):
        denoiser: Any = shape.denoiser(dtype, options.model)
        denoisers[str(dtype)] = denoiser.to(device)
    if PACKED in measures:
        denoisers[PACKED] = shape.denoiser(torch.bfloat16, options.model)
        prepare_part(denoisers[PACKED], device, torch.bfloat16)
        list(pack_layers(denoisers[PACKED]))
    for name in (CAPTURED, COMPILED_AND_CAPTURED):  # with their own weights, which must not move
        if name in measures:
            denoisers[name] = copy.deepcopy(denoisers[str(torch.bfloat16)])
            prepare_part(denoisers[name], device, torch.bfloat16)
    results: dict[str, torch.Tensor] = {}

    def prepare(name: str) -> None:
        dtype, layout, processor = measures[name]
        if name not in denoisers:
            denoisers[str(dtype)].to(memory_format=layout).set_attn_processor(processor)

    def work(name: str) -> Callable[[], None]:
        dtype = measures[name][0]
        denoiser = denoisers.get(name, denoisers.get(str(dtype)))
        if name in (COMPILED, COMPILED_AND_CAPTURED):
            denoiser = compiled_twin(denoiser, "inductor")
        inputs = shape.inputs(options.side, ROWS, dtype, device)
        conditioning = {"encoder_hidden_states": inputs["encoder_hidden_states"], **(inputs["added_cond_kwargs"] or {})}
        call: Callable[..., torch.Tensor] = partial(denoise, SimpleNamespace(unet=denoiser))
        if name in (CAPTURED, COMPILED_AND_CAPTURED):
            call = partial(CudaGraphs(device).call, name, call)

        def work_once() -> None:
            with torch.inference_mode():
                results[name] = call(inputs["sample"], inputs["timestep"], conditioning)

        return work_once

    seconds = alternate({name: work(name) for name in measures}, repeats=options.repeats, prepare=prepare)
    truth = results["float32"].double()
    taken = {
        "bfloat16": bfloat16_pays(device),
        "bfloat16, channels last": channels_last_pays(device, torch.bfloat16),
        "bfloat16, channels last, blocked": blocked_attention_pays(device, torch.bfloat16),
        "bfloat16, channels last, padded": padded_attention_pays(device, torch.bfloat16),
        PACKED: packing_pays(),
    }
    report(
        f"step: a call of {shape.name} at {options.side} pixels, {ROWS} rows",
        ("variant", "seconds", "times faster than float32", "goal", "chosen by the probe", "relative L2"),
        [
            (
                name,
                seconds[name],
                speedups(seconds["float32"], seconds[name]),
                GOAL if name != "float32" else "",
                {True: "yes", False: "no", None: ""}[taken.get(name)],
                float((results[name].double() - truth).norm() / truth.norm()),
            )
            for name in measures
        ],
        options.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
