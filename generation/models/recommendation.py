"""The catalog model that suits a machine best."""

from generation.models.catalog import Catalog, ModelEntry
from generation.models.families import FAMILIES
from generation.models.machine import Machine


def recommended_model(catalog: Catalog, machine: Machine) -> ModelEntry | None:
    """Return the best model that fits and is here or on the hub, or None if none does.

    On a graphics card the largest is the best. On a CPU all are slow, so it is the one with the least computation per
    picture. The small demo model is chosen only if nothing else fits. A model whose licence has to be accepted first,
    or one without a strength, is never recommended.
    """
    there = [entry for entry in catalog.values() if entry.folder is None or entry.folder.is_dir()]
    fitting = [entry for entry in there if machine.fits(entry)]
    usual = [entry for entry in fitting if not entry.gated and FAMILIES[entry.family].takes_strength]
    real = [entry for entry in usual if not entry.is_demo] or usual
    if not real:
        return None
    if machine.accelerators:
        return max(real, key=lambda entry: entry.memory_bytes)
    return min(real, key=_work)


def _work(entry: ModelEntry) -> float:
    defaults = entry.defaults
    passes = 2 if defaults.guidance_scale > 1 else 1
    return defaults.num_inference_steps * defaults.strength * defaults.max_pixels * passes
