"""A whole picture by what others have, against the engine, with as many calls of the same denoiser.

    python -m benchmarks peers --side 256 --threads 1 --repeats 1

DPM++ 2M Karras, 20 steps, strength .75: 15 calls. Peers are diffusers' pipeline as it is, and stable-diffusion.cpp
where it is installed (``pip install stable-diffusion-cpp-python``), with its flash attention and with weights in
float16 and in eight bits. All read the same random weights of Stable Diffusion 1.5's shape.
"""

import contextlib
import gc
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.measuring import alternate, arguments, report, times_quicker
from benchmarks.model_files import SCHEDULERS, catalog, model_folder
from benchmarks.requests_made import PROMPT, SilentRun, picture, request
from benchmarks.shapes import sd15_pipeline
from generation.engine.device import choose_device, choose_dtype
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.hub import Hub

OURS = "the engine"
STEPS, STRENGTH, GUIDANCE_SCALE, SEED = 20, 0.75, 7.5, 7
CPP_WEIGHTS = ("f16", "q8_0")

# Loads what paints, as a context, and gives a function that paints and returns how often the denoiser was called.
Painter = Callable[[], contextlib.AbstractContextManager[Callable[[], int]]]


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(__doc__, ("--side", {"type": int, "default": 256, "help": "pixels"}), values=values)
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    side, threads = options.side, options.threads or -1
    calls: dict[str, int] = {}
    with contextlib.ExitStack() as opened:
        painters: dict[str, Painter] = {
            f"diffusers, {str(its).removeprefix('torch.')}": partial(_diffusers, its, device, side)
            for its in dict.fromkeys((torch.float32, dtype))
        }
        if importlib.util.find_spec("stable_diffusion_cpp") is not None:
            folder = opened.enter_context(_folder_for_cpp(dtype))
            for weights in CPP_WEIGHTS:
                name = f"stable-diffusion.cpp, {weights}"
                painters[name] = partial(_stable_diffusion_cpp, weights, folder, side, threads)
        painters[OURS] = partial(_engine, dtype, device, side)
        loaded = opened.enter_context(contextlib.ExitStack())
        paint: Callable[[], int] | None = None

        def load(name: str) -> None:
            nonlocal paint
            paint = None
            loaded.close()  # one at a time is in memory
            gc.collect()
            paint = loaded.enter_context(painters[name]())

        def work(name: str) -> None:
            assert paint is not None
            calls[name] = paint()

        seconds = alternate(
            {name: partial(work, name) for name in painters}, repeats=options.repeats, warm_ups=0, prepare=load
        )
    report(
        f"peers: a picture of {side} pixels by Stable Diffusion 1.5's shape, the engine in {dtype}",
        ("what", "denoiser calls", "seconds", "times as long as ours"),
        [(name, calls[name], seconds[name], times_quicker(seconds[name], seconds[OURS])) for name in painters],
        options.json,
    )
    return 0


@contextlib.contextmanager
def _diffusers(dtype: torch.dtype, device: torch.device, side: int) -> Iterator[Callable[[], int]]:
    pipeline: Any = sd15_pipeline(dtype).to(device)
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

    yield paint


@contextlib.contextmanager
def _stable_diffusion_cpp(weights: str, folder: Path, side: int, threads: int) -> Iterator[Callable[[], int]]:
    library: Any = importlib.import_module("stable_diffusion_cpp")
    painter = library.StableDiffusion(
        model_path=str(folder), wtype=weights, n_threads=threads, diffusion_flash_attn=True, verbose=False
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
            sample_steps=STEPS - 1,  # it runs one call more of them than diffusers would
            cfg_scale=GUIDANCE_SCALE,
            sample_method="dpm++2m",
            scheduler="karras",
            seed=SEED,
            progress_callback=heard,
        )
        return steps

    yield paint


@contextlib.contextmanager
def _engine(dtype: torch.dtype, device: torch.device, side: int) -> Iterator[Callable[[], int]]:
    with tempfile.TemporaryDirectory() as data_dir:
        engine = DiffusersEngine(
            catalog=catalog(dtype, side),
            default_model="dpm++2m-karras",
            data_dir=Path(data_dir),
            hub=Hub(),
            device=device,
            dtype=dtype,
        )
        engine.run(request(64, "dpm++2m-karras", num_inference_steps=2), SilentRun())  # loads it

        def paint() -> int:
            run = SilentRun()
            engine.run(request(side, "dpm++2m-karras", num_inference_steps=STEPS), run)
            return run.steps

        yield paint
        engine.close()


@contextlib.contextmanager
def _folder_for_cpp(dtype: torch.dtype) -> Iterator[Path]:
    """Give a model's folder in which the text encoder's weights are called as before transformers 5."""
    with tempfile.TemporaryDirectory(dir=model_folder(dtype, "dpm++2m-karras").parent) as made:
        folder = Path(made) / "model"
        shutil.copytree(model_folder(dtype, "dpm++2m-karras"), folder, copy_function=os.link)
        file = folder / "text_encoder" / "model.safetensors"
        tensors = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(file).items()}
        file.unlink()  # a hard link: what others read stays
        save_file(tensors, file)
        yield folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
