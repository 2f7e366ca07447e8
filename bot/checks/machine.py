"""Checks of this machine: its data folder, the model, the memory, the device."""

import asyncio
import tempfile
from pathlib import Path

from bot.checks.findings import Finding, fail, ok, warn
from bot.settings import Settings
from bot.storage.backup import database_problem
from bot.storage.database import is_in_use
from generation.errors import ModelUnavailable
from generation.executors.probe import ProbedDevice
from generation.models.catalog import Catalog, ModelEntry
from generation.models.files import is_here
from generation.models.fit import Fit, fit_of
from generation.models.hub import cache_folder, free_bytes
from generation.models.machine import Accelerator, Machine, this_machine
from generation.models.recommendation import recommended_model
from generation.sentences import error_sentence
from generation.units import gibibytes

_DATABASE_BYTES = 256 * 2**20
_MODELS = "python -m generation models"


def data_dir_finding(settings: Settings) -> Finding:
    """Report whether the data folder is writable, has enough space, and is not in use by another bot."""
    folder = settings.data_dir.resolve()
    try:
        _try_to_write(folder)
        in_use = is_in_use(folder)
        problem = None if in_use else database_problem(folder)
    except OSError as error:
        return fail(
            "data",
            f"{folder} cannot be written ({error.strerror}).",
            "Set DATA_DIR, change the folder's owner, or make room.",
        )
    if in_use:
        return warn("data", f"A bot is using {folder} right now.", "Stop it before you start another one there.")
    if problem is not None:
        return fail("data", problem, "Update this program, restore a backup, or set DATA_DIR to another folder.")
    free, wanted = free_bytes(folder), settings.spool_max_bytes + _DATABASE_BYTES
    if free < wanted:
        return warn(
            "data",
            f"{folder} has {gibibytes(free)} free, and kept pictures may need {gibibytes(settings.spool_max_bytes)}.",
            "Make room, or lower SPOOL_MAX_BYTES.",
        )
    return ok("data", f"{folder} is writable and has {gibibytes(free)} free.")


def cache_finding() -> Finding:
    """Report where downloaded models are stored and how much space there is."""
    cache = cache_folder()
    try:
        _try_to_write(cache)
    except OSError as error:
        return warn(
            "disk",
            f"{cache} cannot be written ({error.strerror}), and downloaded models go there.",
            "Set HF_HOME in the environment, change the folder's owner, or make room.",
        )
    return ok("disk", f"Downloaded models go to {cache} (HF_HOME), which has {gibibytes(free_bytes(cache))} free.")


def _try_to_write(folder: Path) -> None:
    """Raise OSError unless a folder, or the closest existing parent of a missing one, is writable."""
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")


def model_finding(settings: Settings, catalog: Catalog) -> Finding:
    """Report whether the model that MODEL names is here or can be downloaded."""
    try:
        entry = catalog.find(settings.model)
    except ModelUnavailable as error:
        return fail("model", error_sentence(error), f"Set MODEL to a name that `{_MODELS}` lists.")
    if is_here(entry, settings.data_dir):
        troubles = [file.trouble(settings.data_dir) for file in entry.add_ons]
        if sentences := " ".join(error_sentence(trouble) for trouble in troubles if trouble is not None):
            return warn(
                "model", f"{entry.title} ({entry.name}) is here. {sentences}", "Until then the bot runs without."
            )
        return ok("model", f"{entry.title} ({entry.name}) is here.")
    if entry.folder is not None:
        return fail("model", f"{entry.title}: there is no model in {entry.folder}.", "Set MODEL to another one.")
    command = f"`python -m generation download {entry.name}`"
    if entry.gated and settings.hf_token is None:
        return fail(
            "model",
            f"{entry.title} is not here, and its licence ({entry.licence}) must be accepted before the download.",
            f"Do that at https://huggingface.co/{entry.hub_id}, set HF_TOKEN to its token, and run {command}.",
        )
    cache = cache_folder()
    if (free := free_bytes(cache)) < entry.memory_bytes:
        wanted = gibibytes(entry.memory_bytes)
        return fail(
            "model",
            f"{entry.title} is not here; it may need {wanted}, and {cache} has {gibibytes(free)} free.",
            "Make room, set HF_HOME to a folder on another disk, or choose a smaller model.",
        )
    return warn(
        "model", f"{entry.title} is not here yet; the first request would wait for it.", f"Run {command} first."
    )


async def machine_findings(
    settings: Settings, catalog: Catalog | None, probed: ProbedDevice | Exception
) -> list[Finding]:
    """Report what hardware there is, whether the model fits, and which model would suit it best."""
    seen = await asyncio.to_thread(this_machine)
    memory = ok("memory", f"This machine has {gibibytes(seen.memory_bytes)}.")
    if isinstance(probed, Exception):
        return [
            memory,
            fail("device", f"Nothing can be generated: {probed}.", "Check DEVICE and how torch is installed."),
        ]
    card = None if probed.device == "cpu" else Accelerator(probed.name, probed.memory_bytes, probed.device)
    machine = Machine(seen.memory_bytes, (card,) if card else ())
    findings = [memory, _device_finding(settings, seen, probed)]
    if catalog is not None:
        chosen = catalog.get(settings.model)
        fit = None
        if chosen is not None:
            fit = await asyncio.to_thread(
                fit_of, chosen, machine, data_dir=settings.data_dir, dtype=probed.dtype, max_width=settings.max_width
            )
        findings.append(_fit_finding(chosen, fit, recommended_model(catalog, machine), machine))
    return findings


def _device_finding(settings: Settings, seen: Machine, probed: ProbedDevice) -> Finding:
    words = f"torch {probed.torch} computes on {probed.device} in {probed.dtype}"
    if probed.device != "cpu":
        return ok("device", f"{words}: {probed.name} with {gibibytes(probed.memory_bytes)}.")
    if seen.accelerators and settings.device == "auto":
        return warn(
            "device",
            f"{words}, although there is a graphics card ({seen.accelerators[0].name}).",
            "Install torch's build for it (https://pytorch.org/get-started/locally), or update the card's driver.",
        )
    return ok("device", f"{words}; no graphics card is used.")


def _fit_finding(chosen: ModelEntry | None, fit: Fit | None, best: ModelEntry | None, machine: Machine) -> Finding:
    where = "graphics card" if machine.accelerators else "memory"
    if best is None:
        return warn("recommendation", f"No model in the catalog fits this machine's {where}.", f"See `{_MODELS}`.")
    if chosen is not None and fit is not None and not fit.fits:
        source = "" if fit.plan is not None else " according to the catalog (its files are not here to be measured)"
        return warn(
            "recommendation",
            f"{chosen.title} needs {gibibytes(fit.memory_bytes)}{source}, more than this machine's {where} has for it.",
            f"Set MODEL={best.name} ({best.title}), the best one that fits, going by the catalog's figures.",
        )
    praise = f"the best model for this machine's {where}, going by the catalog's figures"
    if chosen is best:
        return ok("recommendation", f"{best.title} is {praise}.")
    return ok(
        "recommendation",
        f"{best.title} is {praise}: `python -m generation download {best.name}`, then MODEL={best.name}.",
    )
