"""From the start of a process to the first sign of a picture, from local files, compared with the original recipe.

    python -m benchmarks cold_start --repeats 2

Both load files of Stable Diffusion 1.5's size and generate 256 pixels at strength .75: the original recipe in a Python
process of its own, from float32 files; the executor process as the bot starts it, from files in the dtype used here.
The first sign is the first denoising step, after which the bot can show something. The original recipe had nothing to
show before its end, so this comparison favours it. The executor starts twice: the first time it hashes all files to
identify the weights, the second time it remembers. A third one is left alone until its model is in memory; what counts
then is the time from the request to the first step. CPU seconds are given next to wall-clock seconds, because other
processes disturb them less.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.measuring import Measured, arguments, report, speedups
from benchmarks.model_files import model_folder, write_models_file
from benchmarks.requests_made import PROMPT, picture, request
from generation.engine.device import choose_device, choose_dtype
from generation.events import Progress
from generation.executors.child import ChildExecutor
from generation.settings import GenerationSettings

ORIGINAL, FIRST, LATER = "the original recipe", "the executor, first start", "the executor, later"
WARM = "the executor, warm: from its first request"
GOAL = {LATER: "2 on a CPU; 10 s on a GPU"}

Seconds = tuple[float, float]  # wall-clock, and CPU


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        ("--side", {"type": int, "default": 256, "help": "pixels"}),
        ("--original", {"action": "store_true", "help": "do this process's part of the original recipe"}),
        values=values,
    )
    if options.original:
        begin_original(options.side)
        return 0
    dtype = choose_dtype("auto", choose_device("auto"))
    model_folder(torch.float32, "pndm")  # created here, so that creating it is not measured
    seconds: dict[str, list[Seconds]] = {ORIGINAL: [], FIRST: [], LATER: [], WARM: []}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            models_file = write_models_file(Path(folder) / "models.toml", dtype, options.side)
            settings = GenerationSettings(model="pndm", models_file=models_file, data_dir=Path(folder))
            seconds[ORIGINAL].append(original_seconds(options.side))
            for name in (FIRST, LATER, WARM):
                seconds[name].append(asyncio.run(executor_seconds(settings, options.side, idles=name == WARM)))
    clock, cores = (
        {name: Measured(tuple(each[index] for each in rows)) for name, rows in seconds.items()} for index in (0, 1)
    )
    report(
        f"cold start: Stable Diffusion 1.5's shape at {options.side} pixels, to the first step",
        ("variant", "wall-clock seconds", "wall-clock ratio", "CPU seconds", "CPU ratio", "goal"),
        [
            (
                name,
                clock[name],
                speedups(clock[ORIGINAL], clock[name]),
                cores[name],
                speedups(cores[ORIGINAL], cores[name]),
                GOAL.get(name, ""),
            )
            for name in seconds
        ],
        options.json,
    )
    return 0


def original_seconds(side: int) -> Seconds:
    """Run the original recipe in a new Python process; return what it took until its first step was done."""
    command = [sys.executable, "-m", "benchmarks", "cold_start", "--original", "--side", str(side)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began, core_seconds(process.pid)
        process.kill()
    if line.strip() != "step":
        raise RuntimeError("the original recipe ended without a step")
    return seconds


def core_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def begin_original(side: int) -> None:
    """Load and generate as the original script did, and report the first step."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline

    pipeline: Any = StableDiffusionImg2ImgPipeline.from_pretrained(model_folder(torch.float32, "pndm"))
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(choose_device("auto"))

    def step_done(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        print("step", flush=True)
        return tensors

    pipeline(prompt=PROMPT, image=picture(side), strength=0.75, callback_on_step_end=step_done)


async def executor_seconds(settings: GenerationSettings, side: int, *, idles: bool) -> Seconds:
    """Start the executor process and request a picture; return what it took until its first step was done.

    With ``idles`` the request is sent once the model is in memory, and only what follows is counted.
    """
    executor = ChildExecutor(settings.for_child())
    began, begun_with = time.perf_counter(), 0.0
    try:
        await executor.start()
        assert executor.process.pid is not None
        if idles:
            while not executor.process.is_warm:  # noqa: ASYNC110 - a benchmark may poll
                await asyncio.sleep(0.01)
            began, begun_with = time.perf_counter(), core_seconds(executor.process.pid)
        async with contextlib.aclosing(executor.run("cold", 1, request(side, settings.model))) as events:
            async for event in events:
                if isinstance(event, Progress):
                    return time.perf_counter() - began, core_seconds(executor.process.pid) - begun_with
        raise RuntimeError("the executor ended without a step")
    finally:
        await executor.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
