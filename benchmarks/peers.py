"""A whole picture by what others have, against the engine, with as many calls of the same denoiser.

    python -m benchmarks peers --side 256 --threads 1 --repeats 1

DPM++ 2M Karras, 20 steps, strength .75: 15 calls. Peers are diffusers' pipeline as it is, and stable-diffusion.cpp
where it is installed (``pip install stable-diffusion-cpp-python``), with its flash attention and with weights in
float16 and in eight bits. All read the same random weights of Stable Diffusion 1.5's shape.
"""

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
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


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(__doc__, ("--side", {"type": int, "default": 256, "help": "pixels"}), values=values)
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    calls: dict[str, int] = {}
    works: dict[str, Callable[[], None]] = {}
    for number_format in dict.fromkeys((torch.float32, dtype)):
        name = f"diffusers, {str(number_format).removeprefix('torch.')}"
        works[name] = _diffusers(name, number_format, device, options.side, calls)
    with contextlib.ExitStack() as opened:
        if importlib.util.find_spec("stable_diffusion_cpp") is not None:
            folder = opened.enter_context(_folder_for_cpp(dtype))
            for weights in CPP_WEIGHTS:
                name = f"stable-diffusion.cpp, {weights}"
                works[name] = _stable_diffusion_cpp(name, weights, folder, options.side, options.threads or -1, calls)
        engine = DiffusersEngine(
            catalog=catalog(dtype, options.side),
            default_model="dpm++2m-karras",
            data_dir=Path(opened.enter_context(tempfile.TemporaryDirectory())),
            hub=Hub(),
            device=device,
            dtype=dtype,
        )
        opened.callback(engine.close)

        def ours() -> None:
            run = SilentRun()
            engine.run(request(options.side, "dpm++2m-karras", num_inference_steps=STEPS), run)
            calls[OURS] = run.steps

        engine.run(request(64, "dpm++2m-karras"), SilentRun())  # loads it
        works[OURS] = ours
        seconds = alternate(works, repeats=options.repeats, warm_ups=0)
    report(
        f"peers: a picture of {options.side} pixels by Stable Diffusion 1.5's shape, the engine in {dtype}",
        ("what", "denoiser calls", "seconds", "times as long as ours"),
        [(name, calls[name], seconds[name], times_quicker(seconds[name], seconds[OURS])) for name in works],
        options.json,
    )
    return 0


def _diffusers(
    name: str, dtype: torch.dtype, device: torch.device, side: int, calls: dict[str, int]
) -> Callable[[], None]:
    pipeline: Any = sd15_pipeline(dtype).to(device)
    pipeline.scheduler = SCHEDULERS["dpm++2m-karras"]()

    def paint() -> None:
        pipeline(
            prompt=PROMPT,
            image=picture(side),
            strength=STRENGTH,
            guidance_scale=GUIDANCE_SCALE,
            num_inference_steps=STEPS,
            generator=torch.Generator("cpu").manual_seed(SEED),
        )
        calls[name] = pipeline.num_timesteps

    return paint


def _stable_diffusion_cpp(
    name: str, weights: str, folder: Path, side: int, threads: int, calls: dict[str, int]
) -> Callable[[], None]:
    library: Any = importlib.import_module("stable_diffusion_cpp")
    painter = library.StableDiffusion(
        model_path=str(folder), wtype=weights, n_threads=threads, diffusion_flash_attn=True, verbose=False
    )

    def heard(step: int, *_: Any) -> None:
        calls[name] = step

    def paint() -> None:
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

    return paint


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
