"""What a small NVIDIA card can generate: Stable Diffusion 1.5 in 4 GB, XL in 6 GB, and what more memory gains.

    python -m benchmarks card
    python -m benchmarks card --only sdxl-6GiB

Models of the published shapes with random weights, loaded by the engine as in the bot. Each runs in its own process,
in which torch may use no more of the card than its row says (``MAX_VRAM``). The estimate is the memory plan's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import arguments, report
from benchmarks.memory import held_bytes
from benchmarks.model_files import entry, shape_folder
from benchmarks.requests_made import SilentRun, request
from generation.engine.device import choose_device, choose_dtype, limit_memory, wait_for
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.catalog import Catalog
from generation.models.hub import Hub
from generation.models.memory_plan import BASE_BYTES, plan_words
from generation.models.sizes import read_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A model's shape, the side in pixels, the number of concurrent requests, and the memory limit (None: all)."""

    shape: str
    side: int
    requests: int = 1
    max_vram: int | None = None


GIB = 2**30
SETTINGS = {
    "sd15-4GiB": Setting(shape="sd15", side=512, max_vram=4 * GIB),
    "sdxl-6GiB": Setting(shape="sdxl", side=1024, max_vram=6 * GIB),
    "sd15": Setting(shape="sd15", side=512),
    "sd15-eight": Setting(shape="sd15", side=512, requests=8),
    "sdxl": Setting(shape="sdxl", side=1024),
}
STEPS = 8


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return 1 if a picture failed or took more memory than allowed."""
    options = arguments(
        __doc__,
        ("--only", {"choices": list(SETTINGS), "action": "append"}),
        ("--one", {"choices": list(SETTINGS), "help": argparse.SUPPRESS}),
        values=values,
    )
    if options.one:
        print(json.dumps(paint(SETTINGS[options.one])))
        return 0
    if not torch.cuda.is_available():
        print("torch finds no NVIDIA card here; this benchmark is about one.", file=sys.stderr)
        return 1
    rows: list[tuple[object, ...]] = []
    for name in options.only or SETTINGS:
        shape_folder(SETTINGS[name].shape, torch.bfloat16)  # created here, so that creating it is not measured
        command = [sys.executable, "-m", "benchmarks", "card", "--one", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            rows.append((name, "-", "-", "-", "-", "no picture"))
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        off = told["estimate"] / told["measured"] - 1
        rows.append(
            (
                name,
                told["estimate"] / GIB,
                told["measured"] / GIB,
                f"{off:+.1%}",
                told["seconds"],
                told["plan"],
            )
        )
    header = ("setting", "estimate, GiB", "measured, GiB", "difference", "seconds of round two", "how it was held")
    report("card", header, rows, options.json)
    caps = {name: setting.max_vram for name, setting in SETTINGS.items()}
    return int(any(row[1] == "-" or (caps[str(row[0])] or 2**60) < float(str(row[2])) * GIB for row in rows))


def paint(setting: Setting) -> dict[str, Any]:
    """Generate the requests of a setting twice; return the device memory that they took, and the estimate."""
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    limit_memory(device, setting.max_vram)
    folder = shape_folder(setting.shape, torch.bfloat16)
    family = "stable-diffusion-xl" if setting.shape == "sdxl" else "stable-diffusion"
    with tempfile.TemporaryDirectory() as data_dir:
        engine = DiffusersEngine(
            catalog=Catalog({"model": entry("model", folder, setting.side, family=family)}),
            default_model="model",
            data_dir=Path(data_dir),
            hub=Hub(),
            device=device,
            dtype=dtype,
            slots=setting.requests,
            max_width=2 * setting.requests,
        )
        engine.preload()
        seconds = 0.0
        for _ in range(2):
            began = time.perf_counter()
            with ThreadPoolExecutor(setting.requests) as slots:
                wishes = [
                    request(setting.side, "model", num_inference_steps=STEPS, seed=seed)
                    for seed in range(setting.requests)
                ]
                for done in [slots.submit(engine.run, wish, SilentRun()) for wish in wishes]:
                    done.result()
            wait_for(device)
            seconds = time.perf_counter() - began
        plan = engine._models._models["model"].plan  # the current one: running out of memory lowers it
        engine.close()
    estimate = plan.device_bytes(read_sizes(folder), setting.side**2)
    return {
        "estimate": BASE_BYTES[device.type] + estimate,
        "measured": held_bytes(device),
        "seconds": seconds,
        "plan": plan_words(plan),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
