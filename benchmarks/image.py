"""A whole picture by the engine, compared with the original recipe: strength .75, one request.

    python -m benchmarks image --side 256 --threads 1 --repeats 1

The original recipe is a call of diffusers' pipeline as it is, in float32, with PNDM and 50 steps, of which 38 are run.
It is compared with the engine at the same sampler and steps, which is the same work, and with the engine's defaults.
All of them read a PNG and write one, and none has seen the prompt or the picture before.
"""

import io
import itertools
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.measuring import alternate, arguments, report, speedups
from benchmarks.model_files import catalog
from benchmarks.requests_made import PROMPT, SilentRun, request
from benchmarks.shapes import sd15_pipeline
from generation.engine.device import choose_device, choose_dtype
from generation.engine.diffusers_engine import DiffusersEngine
from generation.models.hub import Hub
from generation.requests import Img2ImgRequest

ORIGINAL, SAME, OURS = "the original recipe", "the engine, same sampler and steps", "the engine, defaults"
GOAL = {SAME: "", OURS: "6 at 256 on a CPU; 8 on a GPU"}


def main(values: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    options = arguments(
        __doc__,
        ("--side", {"type": int, "default": 256, "help": "pixels"}),
        ("--steps", {"type": int, "default": 20, "help": "the engine's default number of steps"}),
        ("--original-steps", {"type": int, "default": 50, "help": "fewer, to try whether it runs"}),
        (
            "--compile",
            {"action": "store_true", "help": "let the engine compile its calls before"},
        ),
        ("--model", {"type": Path, "help": "a folder of diffusers' layout instead of random weights"}),
        values=values,
    )
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    original: Any = sd15_pipeline(torch.float32, options.model).to(device)
    with tempfile.TemporaryDirectory() as data_dir:
        engine = DiffusersEngine(
            catalog=catalog(dtype, options.side, options.model),
            default_model="dpm++2m-karras",
            data_dir=Path(data_dir),
            hub=Hub(),
            device=device,
            dtype=dtype,
            compiler="inductor" if options.compile else None,
        )
        calls: dict[str, int] = {}
        wanted: dict[str, Img2ImgRequest] = {}  # what will be measured next
        numbers = itertools.count()

        def original_recipe() -> None:
            asked = wanted[ORIGINAL]
            with Image.open(io.BytesIO(asked.image)) as opened:
                image = opened.convert("RGB")
            painted = original(
                prompt=asked.prompt,
                image=image,
                strength=0.75,
                guidance_scale=7.5,
                num_inference_steps=options.original_steps,
                generator=torch.Generator("cpu").manual_seed(7),
            ).images[0]
            painted.save(io.BytesIO(), "PNG")
            calls[ORIGINAL] = original.num_timesteps

        def by_engine(name: str) -> Callable[[], None]:
            def paint() -> None:
                run = SilentRun()
                engine.run(wanted[name], run)
                calls[name] = run.steps

            return paint

        works = {
            ORIGINAL: original_recipe,
            SAME: by_engine(SAME),
            OURS: by_engine(OURS),
        }

        def prepare(name: str) -> None:
            model, steps = ("dpm++2m-karras", options.steps) if name == OURS else ("pndm", options.original_steps)
            number = next(numbers)
            wanted[name] = request(
                options.side, model, number, prompt=f"{PROMPT}, number {number}", num_inference_steps=steps
            )
            if device.type == "cpu" and not options.compile:
                engine.run(request(64, model), SilentRun())  # loads the model
            elif name != ORIGINAL:
                engine.run(request(options.side, model), SilentRun())  # on CUDA, captures its calls
                wait_until_compiled(engine)
                engine.run(request(options.side, model), SilentRun())  # captures the compiled calls

        seconds = alternate(
            works,
            repeats=options.repeats,
            warm_ups=0,  # a picture is many calls, so the extra cost of the first hardly matters
            prepare=prepare,
        )
        engine.close()
    report(
        f"image: Stable Diffusion 1.5's shape at {options.side} pixels, strength .75, the engine in {dtype}",
        ("variant", "denoiser calls", "seconds", "times faster than the original", "goal"),
        [
            (name, calls[name], seconds[name], speedups(seconds[ORIGINAL], seconds[name]), GOAL.get(name, ""))
            for name in works
        ],
        options.json,
    )
    return 0


def wait_until_compiled(engine: DiffusersEngine) -> None:
    """Wait for the compiler of the most recently used model."""
    model = engine._models._model
    if model is not None and model.fast_denoiser is not None:
        model.fast_denoiser.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
