"""The start of the executor's engine: what makes its imports quicker comes before them."""

from pathlib import Path
from typing import Any

from generation.engine.base import Engine
from generation.engine.import_scans import remember_scans
from generation.engine.lazy_compiler import import_compiler_later


def create_engine(options: dict[str, Any]) -> Engine:
    """Make the engine from ``GenerationSettings.for_child``; raise ExecutorError for a device that is not here."""
    remember_scans(Path(options["data_dir"]))
    if not options["compile_denoiser"]:
        import_compiler_later()
        _compute_alone()
    from generation.engine import diffusers_engine, probe_answers

    probe_answers.remember_answers(Path(options["data_dir"]))
    return diffusers_engine.create_engine(options)


def _compute_alone() -> None:
    """Tell the libraries that there are no other processes to compute with.

    diffusers, transformers, accelerate and peft ask before they import what that takes, ``torch.distributed.tensor``
    above all: 0.3 seconds. There are builds of torch that answer no.
    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.is_available
    """
    import torch.distributed

    torch.distributed.is_available = lambda: False
