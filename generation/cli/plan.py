"""``plan``: how a model would be held in memory, and what it would take, before anything is loaded."""

import asyncio
import json

import psutil

from generation.errors import InvalidRequest, ModelUnavailable
from generation.executors.probe import probe_device
from generation.models.catalog import Catalog
from generation.models.files import check_folder, path_here
from generation.models.memory_plan import BASE_BYTES, MemoryPlan, make_plan, plan_words, widest_plan
from generation.models.problems import ModelProblem
from generation.models.sizes import ModelSizes, read_sizes
from generation.requests import MIN_SIZE
from generation.settings import GenerationSettings
from generation.units import gibibytes


def print_plan(
    name: str,
    catalog: Catalog,
    settings: GenerationSettings,
    *,
    vram_bytes: int | None,
    size: int | None,
    as_json: bool,
) -> bool:
    """Print the plan for a model and return whether it fits; raise ModelUnavailable or InvalidRequest.

    With ``vram_bytes`` the plan is for an NVIDIA card with that much memory, otherwise for this machine's device.
    """
    entry = catalog.find(name)
    check_folder(entry)
    folder = path_here(entry, settings.data_dir)
    if folder is None:
        raise ModelUnavailable(name, ModelProblem.NOT_DOWNLOADED)
    try:
        sizes = read_sizes(folder)
    except ValueError as error:
        raise ModelUnavailable(name, ModelProblem.NOT_A_MODEL, source=entry.source) from error
    if vram_bytes is None:
        device, dtype, memory = _this_device(settings)
    else:
        device, memory = "cuda", vram_bytes
        dtype = "bfloat16" if settings.dtype == "auto" else settings.dtype
    side = entry.defaults.size if size is None else size
    if not MIN_SIZE <= side <= entry.max_size:
        raise InvalidRequest("max_pixels", "out_of_range", value=side**2, low=MIN_SIZE**2, high=entry.max_size**2)
    base = BASE_BYTES[device]
    widest = widest_plan(device=device, dtype=dtype, max_width=settings.max_width, has_adapters=bool(entry.adapters))
    plan = make_plan(widest, sizes, budget_bytes=memory - base, max_pixels=side**2)
    estimate = base + plan.device_bytes(sizes, side**2)
    if as_json:
        print(json.dumps(_row(name, plan, sizes, side, memory, estimate)))
    else:
        weights = ", ".join(f"{part} {gibibytes(count)}" for part, count in plan.weights(sizes).items())
        print(f"{entry.title} at {side} pixels on {device} with {gibibytes(memory)}, {dtype}:")
        print(f"  weights: {weights}")
        print(f"  {plan_words(plan)}")
        waiting = plan.host_bytes(sizes)
        beside = f", and {gibibytes(waiting)} of the machine's memory" if waiting else ""
        print(f"  needs about {gibibytes(estimate)}{beside}")
        if estimate > memory:
            print("  That is more than there is. Choose a smaller size or a smaller model.")
    return estimate <= memory


def _row(name: str, plan: MemoryPlan, sizes: ModelSizes, side: int, memory: int, estimate: int) -> dict[str, object]:
    return {
        "name": name,
        "size": side,
        "device": plan.device,
        "dtype": plan.dtype,
        "placement": plan.placement,
        "tiles_pictures": plan.tiles_pictures,
        "stores_float8": plan.stores_float8,
        "batch_width": plan.batch_width,
        "weights": plan.weights(sizes),
        "memory_bytes": memory,
        "estimate_bytes": estimate,
        "host_bytes": plan.host_bytes(sizes),
        "fits": estimate <= memory,
    }


def _this_device(settings: GenerationSettings) -> tuple[str, str, int]:
    probed = asyncio.run(probe_device(settings.device, settings.dtype, settings.max_vram))
    memory = psutil.virtual_memory().available if probed.device == "cpu" else probed.memory_bytes
    return probed.device, probed.dtype, memory
