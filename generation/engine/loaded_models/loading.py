"""How a model's files become a diffusers pipeline, one that prints nothing on its own."""

import importlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from generation.engine.faults import fault_of
from generation.engine.loaded_models.adapters import Adapters
from generation.engine.loaded_models.placement import place
from generation.engine.quick_start.empty_tensors import QuickEmptyTensors
from generation.engine.texts.embeddings import Embeddings
from generation.errors import ModelUnavailable
from generation.models.add_ons import AddOnFile
from generation.models.catalog import ModelEntry
from generation.models.families import FAMILIES, Family
from generation.models.memory_plan import MemoryPlan, Placement
from generation.models.problems import ModelProblem
from generation.models.snapshots import ModelFiles


class _TorchvisionNote(logging.Filter):
    """Drop the note that transformers logs about three image processors when diffusers imports them."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "ImageProcessor` requires torchvision (not installed); falling back to" not in record.getMessage()


transformers_logging.get_logger("transformers.utils.import_utils").addFilter(_TorchvisionNote())
from diffusers.pipelines.pipeline_utils import DiffusionPipeline  # noqa: E402 - its import logs the note
from diffusers.utils import logging as diffusers_logging  # noqa: E402 - the same

from generation.engine.calls.cuda_graphs import CudaGraphs, graphs_for  # noqa: E402 - the same
from generation.engine.calls.fast_denoiser import FastDenoiser, can_be_compiled  # noqa: E402 - imports diffusers
from generation.engine.kernels.preparing import prepare_kernels  # noqa: E402 - the same


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to be called."""

    entry: ModelEntry
    family: Family
    files: ModelFiles
    pipeline: Any  # a DiffusionPipeline; its classes share no typed __call__
    plan: MemoryPlan
    adapters: Adapters
    embeddings: Embeddings
    locate: Callable[[AddOnFile], Path]  # finds files of add-ons
    fast_denoiser: FastDenoiser | None = None
    graphs: CudaGraphs | None = None  # also held by ``fast_denoiser``, which drops them when weights move
    packable_bytes: int = 0  # of the denoiser's weights

    @property
    def revision(self) -> str:
        """The revision of the files that it was loaded from."""
        return self.files.revision


def load_model(
    entry: ModelEntry,
    files: ModelFiles,
    device: torch.device,
    dtype: torch.dtype,
    plan: MemoryPlan,
    locate: Callable[[AddOnFile], Path],
    compiler: str | None = None,
) -> LoadedModel:
    """Load the pipeline and place it as planned; raise ModelUnavailable for files that cannot be used.

    ``locate`` finds the files of the operator's add-ons. ``compiler`` is the ``torch.compile`` backend for the
    denoiser, or None for no compilation. A denoiser with offloaded weights is neither compiled nor captured.
    """
    # Both libraries quote prompts in warnings (the part that CLIP truncates), and prompts must never reach a log.
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    family = FAMILIES[entry.family]
    try:
        with QuickEmptyTensors():
            pipeline = pipeline_class(files.path, family).from_pretrained(
                files.path,
                dtype=dtype,
                variant=entry.variant if _has_variant(files, entry.variant) else None,
                use_safetensors=True,
                local_files_only=True,
                **({"processor": _picture_processor(files.path)} if family.reads_picture else {}),
                **family.load_arguments,
            )
    except (KeyError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        if fault_of(error) is not None:  # not the files' fault
            raise
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=entry.source) from error
    if type(pipeline).__name__ != family.pipeline_class:
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=entry.source)
    pipeline.set_progress_bar_config(disable=True)
    embeddings = Embeddings(pipeline, entry.embeddings, locate)
    if plan.placement is Placement.RESIDENT:
        pipeline.to(device)
    weights_stay = plan.placement is Placement.RESIDENT and not plan.stores_float8
    packable_bytes = prepare_kernels(pipeline, device, dtype, may_pack=weights_stay and not compiler)
    place(pipeline, plan, device)
    fast_denoiser = graphs = None
    if weights_stay and can_be_compiled(pipeline):
        graphs = graphs_for(device)
        fast_denoiser = FastDenoiser(pipeline, backend=compiler, graphs=graphs) if compiler or graphs else None
    return LoadedModel(
        entry=entry,
        family=family,
        files=files,
        pipeline=pipeline,
        plan=plan,
        adapters=Adapters(pipeline, entry.adapters, locate),
        embeddings=embeddings,
        locate=locate,
        fast_denoiser=fast_denoiser,
        graphs=graphs,
        packable_bytes=packable_bytes,
    )


def read_scheduler(folder: Path) -> Any | None:
    """Return the scheduler that a model's files name, or None if they name none that diffusers has."""
    try:
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
        return getattr(importlib.import_module("diffusers.schedulers"), config["_class_name"]).from_config(config)
    except (AttributeError, KeyError, OSError, TypeError, ValueError):  # loading the model will say what is wrong
        return None


def pipeline_class(folder: Path, family: Family) -> Any:
    """Return the class whose ``from_pretrained`` makes the family's pipeline from a folder.

    A folder names the class that it was saved from: the family's own, or its text-to-image counterpart.
    ``AutoPipelineForImage2Image`` can handle any other, but importing it imports every pipeline there is, a third of
    the time that all imports take.
    """
    index: Any = DiffusionPipeline.load_config(folder, local_files_only=True)
    if index.get("_class_name") in (family.pipeline_class, family.pipeline_class.replace("Img2Img", "")):
        return getattr(importlib.import_module("diffusers"), family.pipeline_class)
    return importlib.import_module("diffusers.pipelines.auto_pipeline").AutoPipelineForImage2Image


def _picture_processor(folder: Path) -> Any:
    from generation.engine.loaded_models.picture_processor import (
        load_picture_processor,  # a slow import that few need
    )

    return load_picture_processor(folder / "processor")


def _has_variant(files: ModelFiles, variant: str | None) -> bool:
    return variant is not None and any(files.path.rglob(f"*.{variant}*.safetensors"))
