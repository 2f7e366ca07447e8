"""The memory plan's estimate compared with the measured peak, on random weights of Stable Diffusion 1.5's shape.

    python -m benchmarks plan
    python -m benchmarks plan --only bfloat16-512

Each setting generates one picture in its own process, which loads the files as the bot does.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from benchmarks.measuring import arguments, report
from benchmarks.memory import held_bytes
from benchmarks.shapes import sd15_pipeline
from generation.engine.device import choose_device
from generation.engine.loaded_models.loading import load_model
from generation.models.catalog import ModelDefaults, ModelEntry
from generation.models.memory_plan import BASE_BYTES, MemoryPlan
from generation.models.sizes import read_sizes
from generation.models.snapshots import ModelFiles

GOAL = 0.2  # of the measured peak
SETTINGS = {  # dtype, side in pixels
    "bfloat16-256": ("bfloat16", 256),
    "bfloat16-384": ("bfloat16", 384),
    "bfloat16-512": ("bfloat16", 512),
    "float32-256": ("float32", 256),
    "float32-512": ("float32", 512),
}


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return 1 if an estimate is more than 20 % off."""
    options = arguments(
        __doc__,
        ("--only", {"choices": list(SETTINGS), "action": "append"}),
        ("--folder", {"type": Path, "help": "keep the random model there for the next time"}),
        ("--one", {"choices": list(SETTINGS), "help": argparse.SUPPRESS}),
        values=values,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.folder or Path(temporary) / "model"
        if options.one:
            print(json.dumps(_paint(options.one, folder)))
            return 0
        if not (folder / "model_index.json").is_file():
            sd15_pipeline(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
        rows = []
        for name in options.only or SETTINGS:
            measured, estimated = _in_a_process(name, folder, options.threads)
            rows.append(
                (name, f"{estimated / 2**20:.0f}", f"{measured / 2**20:.0f}", f"{estimated / measured - 1:+.1%}")
            )
    report("plan", ("setting", "estimate, MiB", "measured peak, MiB", "difference"), rows, options.json)
    return int(any(abs(float(row[3].rstrip("%"))) > 100 * GOAL for row in rows))


def _in_a_process(name: str, folder: Path, threads: int | None) -> tuple[int, int]:
    command = [sys.executable, "-m", "benchmarks", "plan", "--one", name, "--folder", str(folder)]
    command += ["--threads", str(threads)] if threads else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["measured"], answer["estimated"]


def _paint(name: str, folder: Path) -> dict[str, int]:
    dtype, side = SETTINGS[name]
    device = choose_device("auto")
    plan = MemoryPlan(device=device.type, dtype=dtype, batch_width=2)
    entry = ModelEntry(
        name="random",
        title="Random weights",
        summary="",
        family="stable-diffusion",
        licence="MIT",
        defaults=ModelDefaults(strength=0.5, guidance_scale=7.5, num_inference_steps=4, size=side),
        max_size=1024,
        multiple=8,
        memory_bytes=0,
        folder=folder,
    )
    model = load_model(
        entry, ModelFiles(folder, "0" * 40), device, getattr(torch, dtype), plan, lambda file: file.locate(folder)
    )
    picture = Image.effect_noise((side, side), 64).convert("RGB")
    output = model.pipeline("a cat", image=picture, strength=0.5, num_inference_steps=4, guidance_scale=7.5)
    output.images[0].save(io.BytesIO(), "PNG")
    sizes = read_sizes(folder)
    estimated = BASE_BYTES[device.type] + plan.device_bytes(sizes, side**2)
    return {"measured": held_bytes(device), "estimated": estimated}
