"""A whole picture by other programs, compared with the engine, with the same number of calls of the same denoiser.

    python -m benchmarks peers --side 256 --threads 1 --repeats 1

DPM++ 2M Karras, 20 steps, strength .75: 15 calls. Peers are diffusers' pipeline as it is, and stable-diffusion.cpp
where it is installed (``pip install stable-diffusion-cpp-python``), with its flash attention and with weights in
float16 and in eight bits. All load the same random weights of Stable Diffusion 1.5's shape.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.measuring import Measured, arguments, clock, report, speedups
from benchmarks.model_files import FOLDER, SCHEDULERS, catalog, model_folder
from benchmarks.requests_made import PROMPT, SilentRun, picture, request
from benchmarks.shapes import sd15_pipeline
from generation.engine.device import choose_device, choose_dtype
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.hub import Hub

OURS = "the engine"
STEPS, STRENGTH, GUIDANCE_SCALE, SEED = 20, 0.75, 7.5, 7
CPP, CPP_MODULE = "stable-diffusion.cpp", "stable_diffusion_cpp"


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        ("--side", {"type": int, "default": 256, "help": "pixels"}),
        ("--only", {"choices": list(PAINTERS), "help": "paint one picture so, and print calls and seconds"}),
        values=values,
    )
    if options.only:
        _paint_one(PAINTERS[options.only], options.side, options.threads or -1)
        return 0
    names = [name for name in PAINTERS if not name.startswith(CPP) or importlib.util.find_spec(CPP_MODULE)]
    calls: dict[str, int] = {}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.repeats):
        for name in names:
            threads = () if options.threads is None else ("--threads", str(options.threads))
            command = (
                sys.executable,
                "-m",
                "benchmarks",
                "peers",
                "--only",
                name,
                "--side",
                str(options.side),
                *threads,
            )
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            calls[name], took = json.loads(said)
            seconds[name].append(took)
    measured = {name: Measured(tuple(each)) for name, each in seconds.items()}
    report(
        f"peers: a picture of {options.side} pixels by Stable Diffusion 1.5's shape",
        ("what", "denoiser calls", "seconds", "times as long as ours"),
        [(name, calls[name], measured[name], speedups(measured[name], measured[OURS])) for name in names],
        options.json,
    )
    return 0


def _paint_one(painter: "Painter", side: int, threads: int) -> None:
    """Load, generate a picture, and print how many calls and seconds it took; then exit without cleaning up."""
    paint = painter(side, threads)
    began = clock()
    calls = paint()
    print(json.dumps([calls, clock() - began]), flush=True)
    os._exit(0)


def _diffusers(format_of: Callable[[torch.device], torch.dtype], side: int, _: int) -> Callable[[], int]:
    device = choose_device("auto")
    pipeline: Any = sd15_pipeline(format_of(device)).to(device)
    pipeline.scheduler = SCHEDULERS["dpm++2m-karras"]()

    def paint() -> int:
        pipeline(
            prompt=PROMPT,
            image=picture(side),
            strength=STRENGTH,
            guidance_scale=GUIDANCE_SCALE,
            num_inference_steps=STEPS,
            generator=torch.Generator("cpu").manual_seed(SEED),
        )
        return pipeline.num_timesteps

    return paint


def _stable_diffusion_cpp(weights: str, side: int, threads: int) -> Callable[[], int]:
    library: Any = importlib.import_module(CPP_MODULE)
    painter = library.StableDiffusion(
        model_path=str(_folder_for_cpp()), wtype=weights, n_threads=threads, diffusion_flash_attn=True, verbose=False
    )

    def paint() -> int:
        steps = 0

        def heard(step: int, *_: Any) -> None:
            nonlocal steps
            steps = step

        painter.generate_image(
            prompt=PROMPT,
            init_image=picture(side),
            width=side,
            height=side,
            strength=STRENGTH,
            sample_steps=STEPS - 1,  # it makes one call more than diffusers would
            cfg_scale=GUIDANCE_SCALE,
            sample_method="dpm++2m",
            scheduler="karras",
            seed=SEED,
            progress_callback=heard,
        )
        return steps

    return paint


def _engine(side: int, _: int) -> Callable[[], int]:
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    engine = DiffusersEngine(
        catalog=catalog(dtype, side),
        default_model="dpm++2m-karras",
        data_dir=FOLDER,
        hub=Hub(),
        device=device,
        dtype=dtype,
    )
    engine.run(request(64, "dpm++2m-karras", num_inference_steps=2), SilentRun())  # loads the model

    def paint() -> int:
        run = SilentRun()
        engine.run(request(side, "dpm++2m-karras", num_inference_steps=STEPS), run)
        return run.steps

    return paint


def _folder_for_cpp() -> Path:
    """Return a model folder in which the text encoder's weights have their names from before transformers 5."""
    dtype = choose_dtype("auto", choose_device("auto"))
    usual, folder = model_folder(dtype, "dpm++2m-karras"), FOLDER / "for-stable-diffusion-cpp"
    if not folder.exists():
        made = Path(tempfile.mkdtemp(dir=FOLDER)) / "model"
        shutil.copytree(usual, made, copy_function=os.link)
        file = made / "text_encoder" / "model.safetensors"
        tensors = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(file).items()}
        file.unlink()  # a hard link, so the original file stays
        save_file(tensors, file)
        made.rename(folder)
    return folder


# By the name in the table: a function that loads the model (side in pixels, threads or -1) and returns another, which
# generates a picture and returns the number of denoiser calls. Each runs in its own process, because a peer may crash
# or keep its memory.
Painter = Callable[[int, int], Callable[[], int]]
PAINTERS: dict[str, Painter] = {
    "diffusers, float32": partial(_diffusers, lambda _: torch.float32),
    "diffusers, the engine's format": partial(_diffusers, partial(choose_dtype, "auto")),
    f"{CPP}, f16": partial(_stable_diffusion_cpp, "f16"),
    f"{CPP}, q8_0": partial(_stable_diffusion_cpp, "q8_0"),
    OURS: _engine,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
