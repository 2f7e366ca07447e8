"""The startup of the executor's engine: everything that speeds up imports has to happen before them."""

import sys
from pathlib import Path
from typing import Any

from generation.engine.base import Engine
from generation.engine.quick_start.import_scans import remember_scans
from generation.engine.quick_start.lazy_compiler import import_compiler_later
from generation.models.catalog import load_catalog


def create_engine(options: dict[str, Any]) -> Engine:
    """Make the engine from ``GenerationSettings.for_child``; raise ExecutorError for a device that is missing."""
    catalog = load_catalog(Path(options["models_file"]))
    remember_scans(Path(options["data_dir"]))
    _hide_package("torchvision")  # not needed here, and where it is installed it imports torch's compiler
    if not any(entry.adapters for entry in catalog.values()):
        _hide_package("peft")
    if not options["compile_denoiser"]:
        import_compiler_later()
        _disable_distributed()
    from generation.engine import diffusers_engine
    from generation.engine.kernels import probe_answers

    probe_answers.remember_answers(Path(options["data_dir"]))
    return diffusers_engine.create_engine(options, catalog)


def _hide_package(package: str) -> None:
    """Make a package count as not installed; diffusers and transformers import some that may never be used.

    peft takes 0.17 seconds, torchvision with the compiler a second or more.
    Source: https://docs.python.org/3/reference/import.html#the-module-cache, on None in place of a module.
    """
    sys.modules.setdefault(package, None)  # type: ignore[arg-type]


def _disable_distributed() -> None:
    """Tell the libraries that there are no other processes to compute with.

    diffusers, transformers and accelerate ask before they import what distributed computing needs, above all
    ``torch.distributed.tensor``, which takes 0.3 seconds. Some builds of torch give the same answer.
    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.is_available
    """
    import torch.distributed

    torch.distributed.is_available = lambda: False
