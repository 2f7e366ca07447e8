"""``models``: the catalog as this machine sees it."""

import json
from typing import Any

from generation.models.catalog import Catalog, ModelEntry
from generation.models.files import is_here
from generation.models.fit import fit_of
from generation.models.machine import Machine, this_machine
from generation.models.memory_plan import plan_words
from generation.settings import GenerationSettings


def print_models(catalog: Catalog, settings: GenerationSettings, *, as_json: bool) -> None:
    """Print one line, or one JSON object, per model."""
    machine = this_machine(settings.max_vram)
    rows = [_row(entry, settings, machine) for entry in catalog.values()]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    print(f"This machine: {_machine_words(machine)}.")
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        mark = "*" if row["selected"] else " "
        missing = f"missing (there is no model in {row['source']})" if row["is_folder"] else "not downloaded yet"
        here = "here" if row["here"] else missing
        gated = ", gated: needs HF_TOKEN and its licence accepted" if row["gated"] else ""
        fits = "fits" if row["fits"] else "does not fit"
        print(f"{mark} {row['name']:{width}}  {row['title']}, {row['licence']}; {here}{gated};", end=" ")
        print(f"needs {row['memory_gib']:g} GiB, {fits} this machine; paints at {row['size']} pixels")
        print(f"  {'':{width}}  {row['summary']}")
        if row["plan"]:
            print(f"  {'':{width}}  Here, {row['plan']}.")


def _row(entry: ModelEntry, settings: GenerationSettings, machine: Machine) -> dict[str, Any]:
    fit = fit_of(entry, machine, data_dir=settings.data_dir, dtype=settings.dtype, max_width=settings.max_width)
    return {
        "name": entry.name,
        "title": entry.title,
        "summary": entry.summary,
        "source": entry.source,
        "is_folder": entry.folder is not None,
        "revision": entry.revision,
        "licence": entry.licence,
        "selected": entry.name == settings.model,
        "here": is_here(entry, settings.data_dir),
        "gated": entry.gated,
        "fits": fit.fits,
        "memory_gib": round(fit.memory_bytes / 2**30, 1),
        "plan": plan_words(fit.plan) if fit.plan else None,
        "size": entry.defaults.size,
        "max_size": entry.max_size,
        "strength": entry.defaults.strength,
        "guidance_scale": entry.defaults.guidance_scale,
        "num_inference_steps": entry.defaults.num_inference_steps,
        "sampler": entry.defaults.sampler,
        "adapters": list(entry.adapters),
        "embeddings": [embedding.word for embedding in entry.embeddings.values()],
    }


def _machine_words(machine: Machine) -> str:
    words = [f"{machine.memory_bytes / 2**30:.0f} GiB of memory"]
    words += [f"{card.name} with {card.memory_bytes / 2**30:.0f} GiB" for card in machine.accelerators]
    return ", ".join(words if machine.accelerators else [*words, "no usable graphics card"])
