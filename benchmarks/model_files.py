"""Models of Stable Diffusion 1.5's size on disk, with random weights, for benchmarks that have to load files."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler

from benchmarks.shapes import PIPELINES, SCHEDULER
from generation.models.catalog import Catalog, ModelDefaults, ModelEntry

# Kept between runs: creating them takes a minute, and a benchmark of loading needs the same files again.
FOLDER = Path(tempfile.gettempdir()) / "palimpsest-benchmarks"
SCHEDULERS: dict[str, Any] = {
    "pndm": lambda: PNDMScheduler(**SCHEDULER),
    "dpm++2m-karras": lambda: DPMSolverMultistepScheduler(
        **{name: value for name, value in SCHEDULER.items() if name != "skip_prk_steps"}, use_karras_sigmas=True
    ),
}


def shape_folder(shape: str, dtype: torch.dtype) -> Path:
    """Return a folder with weights of a shape in diffusers' layout, created by the first call."""
    folder = FOLDER / f"{shape}-{str(dtype).removeprefix('torch.')}"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        PIPELINES[shape](dtype).save_pretrained(folder, safe_serialization=True)
        (folder / "whole").touch()
    return folder


def model_folder(dtype: torch.dtype, scheduler: str) -> Path:
    """Return such a folder of Stable Diffusion 1.5's shape with this scheduler; folders of one dtype share weights."""
    weights = shape_folder("sd15", dtype)
    folder = weights.with_name(f"{weights.name}-{scheduler}")
    if not folder.exists():
        # Hard links, because the search for model files does not follow symbolic links.
        shutil.copytree(weights, folder, copy_function=os.link, ignore=shutil.ignore_patterns("whole", "*.json"))
        for file in weights.rglob("*.json"):
            shutil.copy(file, folder / file.relative_to(weights))
        made = SCHEDULERS[scheduler]()
        made.save_pretrained(folder / "scheduler")
        index = folder / "model_index.json"
        index.write_text(index.read_text().replace("PNDMScheduler", type(made).__name__))
    return folder


def entry(name: str, folder: Path, side: int, family: str = "stable-diffusion") -> ModelEntry:
    """Return the catalog entry for such a folder."""
    return ModelEntry(
        name=name,
        title=name,
        summary="Random weights.",
        family=family,
        licence="none",
        defaults=ModelDefaults(strength=0.75, guidance_scale=7.5, num_inference_steps=20, size=side),
        max_size=1024,
        multiple=8,
        memory_bytes=4 * 2**30,
        folder=folder,
    )


def catalog(dtype: torch.dtype, side: int, model: Path | None = None) -> Catalog:
    """Return a catalog with one model per scheduler, named after it; real weights keep their own scheduler."""
    return Catalog({name: entry(name, model or model_folder(dtype, name), side) for name in SCHEDULERS})


def write_models_file(path: Path, dtype: torch.dtype, side: int) -> Path:
    """Write a catalog file with the model ``pndm``, for a process that reads one."""
    folder = model_folder(dtype, "pndm")
    path.write_text(
        f"""
        [pndm]
        title = "Random weights"
        summary = "The shape of Stable Diffusion 1.5."
        family = "stable-diffusion"
        licence = "none"
        folder = "{folder}"
        strength = 0.75
        guidance_scale = 7.5
        num_inference_steps = 20
        size = {side}
        max_size = 1024
        multiple = 8
        memory = 4
        """,
        encoding="utf-8",
    )
    return path
