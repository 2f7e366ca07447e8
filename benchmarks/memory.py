"""The peak memory of one picture of 512 pixels, for the engine and for the original recipe.

    python -m benchmarks memory

Each runs in its own process, from local files of Stable Diffusion 1.5's size: float32 for the original recipe, bfloat16
for the engine. With a graphics card, its memory is measured too.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.measuring import arguments, report
from benchmarks.model_files import catalog, model_folder
from benchmarks.requests_made import PROMPT, SilentRun, picture, request
from generation.engine.device import choose_device, choose_dtype
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.hub import Hub
from generation.models.memory_plan import BASE_BYTES

STEPS = 2  # one of which is run at strength .75; the peak does not depend on the number
GOAL = {"engine": "3.2 GiB"}


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        ("--side", {"type": int, "default": 512, "help": "pixels"}),
        ("--only", {"choices": list(WORKS), "help": "do one of them in this process and print what it took"}),
        values=values,
    )
    if options.only:
        WORKS[options.only](options.side)
        print(json.dumps(peak_bytes()))
        return 0
    device = choose_device("auto")
    for dtype in {torch.float32, choose_dtype("auto", device)}:
        model_folder(dtype, "pndm")  # created here, so that creating it is not measured
    rows: list[tuple[object, ...]] = []
    for name in WORKS:
        command = [sys.executable, "-m", "benchmarks", "memory", "--side", str(options.side), "--only", name]
        command += ["--threads", str(options.threads)] if options.threads else []
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        peak = json.loads(said.strip().splitlines()[-1])
        rows.append((name, peak["process"] / 2**30, (peak["device"] or 0) / 2**30, GOAL.get(name, "")))
    report(
        f"memory: one picture of Stable Diffusion 1.5's shape at {options.side} pixels",
        ("what", "peak of the process, GiB", "peak of the graphics card, GiB", "goal"),
        rows,
        options.json,
    )
    return 0


def peak_bytes() -> dict[str, int | None]:
    """Return the peak resident memory of this process, and the peak memory on the graphics card."""
    if sys.platform == "linux":  # getrusage would include the parent's memory at the fork
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        most = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    elif sys.platform == "win32":
        memory: Any = psutil.Process().memory_info()
        most = memory.peak_wset
    else:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"process": most, "device": torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None}


def held_bytes(device: torch.device) -> int:
    """Return the peak memory: on a GPU what torch reserved, otherwise the process's resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) + BASE_BYTES["cuda"]
    return peak_bytes()["process"] or 0


def original(side: int) -> None:
    """Generate as the original script did."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline

    pipeline: Any = StableDiffusionImg2ImgPipeline.from_pretrained(model_folder(torch.float32, "pndm"))
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(choose_device("auto"))
    generator = torch.Generator("cpu").manual_seed(7)
    pipeline(prompt=PROMPT, image=picture(side), strength=0.75, num_inference_steps=STEPS, generator=generator)


def engine(side: int) -> None:
    """Generate as the executor process does."""
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    with tempfile.TemporaryDirectory() as data_dir:
        made = DiffusersEngine(
            catalog=catalog(dtype, side),
            default_model="pndm",
            data_dir=Path(data_dir),
            hub=Hub(),
            device=device,
            dtype=dtype,
        )
        made.preload()
        made.run(request(side, "pndm", num_inference_steps=STEPS), SilentRun())
        made.close()


WORKS: dict[str, Callable[[int], None]] = {"original": original, "engine": engine}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
