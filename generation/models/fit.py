"""The memory that a model needs on a machine: planned from its files if they are here, else the catalog's estimate."""

from dataclasses import dataclass
from pathlib import Path

from generation.models.catalog import ModelEntry
from generation.models.files import path_here
from generation.models.machine import Machine
from generation.models.memory_plan import BASE_BYTES, MemoryPlan, make_plan, widest_plan
from generation.models.sizes import ModelSizes, read_sizes


@dataclass(frozen=True, slots=True)
class Fit:
    """The bytes of device memory that a model needs, and whether they fit.

    ``plan`` is how it would be held, or None if its files are not here and the catalog's estimate has to do.
    """

    memory_bytes: int
    fits: bool
    plan: MemoryPlan | None = None


def fit_of(entry: ModelEntry, machine: Machine, *, data_dir: Path, dtype: str, max_width: int) -> Fit:
    """Tell whether a machine can generate pictures of the model's default size.

    ``dtype`` is torch's name, or ``auto``: 16 bits on a GPU, float32 on a CPU, which is what most of them get.
    """
    sizes = _sizes_of(path_here(entry, data_dir))
    if sizes is None:
        return Fit(entry.memory_bytes, machine.fits(entry))
    card = max(machine.accelerators, key=lambda card: card.memory_bytes, default=None)
    device = card.device if card else "cpu"
    memory_bytes = card.memory_bytes if card else machine.memory_bytes
    if dtype == "auto":
        dtype = "bfloat16" if card else "float32"
    base, max_pixels = BASE_BYTES[device], entry.defaults.max_pixels
    widest = widest_plan(device=device, dtype=dtype, max_width=max_width, has_adapters=bool(entry.adapters))
    plan = make_plan(widest, sizes, budget_bytes=memory_bytes - base, max_pixels=max_pixels)
    wanted = base + plan.device_bytes(sizes, max_pixels)
    return Fit(wanted, wanted <= memory_bytes and plan.host_bytes(sizes) <= machine.memory_bytes, plan)


def _sizes_of(folder: Path | None) -> ModelSizes | None:
    try:
        return None if folder is None else read_sizes(folder)
    except ValueError:
        return None
