"""The files of a model, in a local folder or from the hub: only safetensors and text, never a pickle or code."""

import hashlib
from functools import partial
from pathlib import Path, PurePosixPath

from generation.errors import ModelUnavailable
from generation.models.catalog import ModelEntry
from generation.models.digests import sha256_of_all
from generation.models.families import FAMILIES
from generation.models.hub import USUAL_HUB, Hub, OnProgress, Wanted
from generation.models.problems import ModelProblem
from generation.models.snapshots import ModelFiles, ensure, here

_TEXT_SUFFIXES = {".json", ".txt", ".model"}


def ensure_model(
    entry: ModelEntry, data_dir: Path, hub: Hub = USUAL_HUB, on_progress: OnProgress | None = None
) -> ModelFiles:
    """Return the model's files, downloading what is missing; see ``generation.models.snapshots.ensure``."""
    if entry.hub_id is None:
        return _local_files(entry, data_dir)
    return ensure(_wanted(entry, entry.hub_id), data_dir, hub, on_progress)


def is_here(entry: ModelEntry, data_dir: Path, hub: Hub = USUAL_HUB) -> bool:
    """Tell whether the model could be used without the network; nothing is hashed."""
    return path_here(entry, data_dir, hub) is not None


def path_here(entry: ModelEntry, data_dir: Path, hub: Hub = USUAL_HUB) -> Path | None:
    """Return the folder of a model that could be used without the network, else None; nothing is hashed."""
    if entry.folder is not None:
        return entry.folder if (entry.folder / "model_index.json").is_file() else None
    files = here(_wanted(entry, entry.source), data_dir, hub)
    return None if files is None else files.path


def wanted_files(names: list[str], variant: str | None, skipped_folders: frozenset[str]) -> list[str]:
    """Choose from a repository's files those that diffusers reads: the index, text files, safetensors.

    If a folder has safetensors of the variant, only those; single-file checkpoints at the root are left out.
    """
    chosen = []
    by_folder: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if name == "model_index.json":
            chosen.append(name)
        elif len(path.parts) == 2 and path.parts[0] not in skipped_folders:
            if path.suffix in _TEXT_SUFFIXES:
                chosen.append(name)
            elif path.suffix == ".safetensors":
                by_folder.setdefault(path.parts[0], []).append(name)
    for weights in by_folder.values():
        of_variant = [name for name in weights if variant and f".{variant}" in PurePosixPath(name).name]
        plain = [name for name in weights if not _has_variant(name)]
        chosen += of_variant or plain or weights
    return sorted(chosen)


def check_folder(entry: ModelEntry) -> None:
    """Raise ModelUnavailable if the model belongs in a folder and is not there; reads no weights."""
    if entry.folder is not None and not entry.folder.is_dir():
        raise ModelUnavailable(entry.name, ModelProblem.NO_FOLDER, folder=str(entry.folder))
    if entry.folder is not None and not (entry.folder / "model_index.json").is_file():
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=str(entry.folder))


def _wanted(entry: ModelEntry, hub_id: str) -> Wanted:
    return Wanted(
        model=entry.name,
        hub_id=hub_id,
        revision=entry.revision,
        licence=entry.licence,
        lock_name=hub_id,
        choose=partial(_chosen, entry),
    )


def _chosen(entry: ModelEntry, names: list[str]) -> list[str]:
    chosen = wanted_files(names, entry.variant, _skipped_folders(entry))
    if "model_index.json" not in chosen:
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=entry.source)
    if not any(name.endswith(".safetensors") for name in chosen):
        raise ModelUnavailable(entry.name, ModelProblem.NO_SAFETENSORS, source=entry.source)
    return chosen


def _local_files(entry: ModelEntry, data_dir: Path) -> ModelFiles:
    check_folder(entry)
    assert entry.folder is not None, "who has no folder is on the hub"
    names = [path.relative_to(entry.folder).as_posix() for path in entry.folder.rglob("*") if path.is_file()]
    weights = _chosen(entry, names)
    digest = hashlib.sha256()
    try:
        found = sha256_of_all([entry.folder / name for name in weights], data_dir)
    except OSError as error:
        path = str(error.filename or entry.folder)
        raise ModelUnavailable(entry.name, ModelProblem.FILE_TROUBLE, path=path, why=error.strerror) from error
    for name, sha256 in zip(weights, found, strict=True):
        digest.update(f"{name}\n{sha256}\n".encode())
    return ModelFiles(entry.folder, digest.hexdigest()[:40])


def _has_variant(name: str) -> bool:
    # "model.fp16.safetensors" and "model.fp16-00001-of-00002.safetensors" have one, "model-00001-of-00002…" does not.
    return PurePosixPath(name).name.count(".") > 1


def _skipped_folders(entry: ModelEntry) -> frozenset[str]:
    arguments = FAMILIES[entry.family].load_arguments
    return frozenset(name for name, value in arguments.items() if value is None)
