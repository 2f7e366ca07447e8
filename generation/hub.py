"""The files of a model: found on this machine or downloaded once, and the same ever after.

``DATA_DIR/models.lock`` remembers, for every repository of the hub, the commit and the sha256 of each file of the first
download; whatever differs later is refused. What is as it was at the last start is not read again for that
(``generation/digests.py``). Only safetensors and text files are taken, never a pickle, never code.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from generation.catalog import ModelEntry
from generation.digests import sha256_of_all
from generation.download import Commit, HubFile, WrongContents
from generation.errors import ModelUnavailable
from generation.families import FAMILIES
from generation.hub_errors import hub_problem
from generation.model_problems import ModelProblem
from generation.models_lock import LockedModel, read_lock, write_lock

LOCK_NAME = "models.lock"
_TEXT_SUFFIXES = {".json", ".txt", ".model"}
_DISK_MARGIN = 1.1
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where a model's files lie and which they are: a commit, or for a local folder a digest of its files."""

    path: Path
    revision: str


@dataclass(frozen=True, slots=True)
class Hub:
    """Which hub is asked and where its files are kept; None is what ``HF_ENDPOINT`` and ``HF_HOME`` say."""

    token: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    cache_dir: Path | None = None


OnProgress = Callable[[int, int], None]
"""Told how many bytes of a model are here, and how many it has."""


def ensure_model(
    entry: ModelEntry, data_dir: Path, hub: Hub = Hub(), on_progress: OnProgress | None = None
) -> ModelFiles:
    """Return the model's files, downloading what is missing; raise ModelUnavailable if that is impossible.

    What has arrived is kept whatever happens, and the next call goes on from there. ``on_progress`` is called only
    while something is downloaded.
    """
    if entry.folder is not None:
        return _local_files(entry, entry.folder, data_dir)
    lock_path = data_dir / LOCK_NAME
    locked = read_lock(lock_path).get(entry.source)
    if locked is not None and entry.revision in (None, locked.revision):
        path = _cached(entry, locked.revision, list(locked.files), hub)
        if path is None:
            commit, files = _listing(entry, hub, locked.revision)
            _download(entry, commit, [file for file in files if file.name in locked.files], on_progress)
            path = commit.folder
        _compare(entry, path, locked, data_dir)
        return ModelFiles(path, locked.revision)
    commit, files = _listing(entry, hub, entry.revision)
    locked = LockedModel(commit.revision, _download(entry, commit, files, on_progress))
    write_lock(lock_path, {**read_lock(lock_path), entry.source: locked})
    return ModelFiles(commit.folder, commit.revision)


def is_here(entry: ModelEntry, data_dir: Path, hub: Hub = Hub()) -> bool:
    """Tell whether the model could be used without a network; nothing is hashed."""
    return path_here(entry, data_dir, hub) is not None


def path_here(entry: ModelEntry, data_dir: Path, hub: Hub = Hub()) -> Path | None:
    """Return the folder of a model that could be used without a network; nothing is hashed."""
    if entry.folder is not None:
        return entry.folder if (entry.folder / "model_index.json").is_file() else None
    locked = read_lock(data_dir / LOCK_NAME).get(entry.source)
    return None if locked is None else _cached(entry, locked.revision, list(locked.files), hub)


def wanted_files(names: list[str], variant: str | None, skipped_folders: frozenset[str]) -> list[str]:
    """Choose from a repository's files those that diffusers reads: the index, text files, safetensors.

    Where a folder has safetensors of the variant, only those; single-file checkpoints at the root are left out.
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


def _has_variant(name: str) -> bool:
    # "model.fp16.safetensors" and "model.fp16-00001-of-00002.safetensors" have one, "model-00001-of-00002…" has not.
    return PurePosixPath(name).name.count(".") > 1


def check_folder(entry: ModelEntry) -> None:
    """Raise ModelUnavailable if the model should lie in a folder and does not; reads no weights."""
    if entry.folder is not None and not entry.folder.is_dir():
        raise ModelUnavailable(entry.name, ModelProblem.NO_FOLDER, folder=str(entry.folder))
    if entry.folder is not None and not (entry.folder / "model_index.json").is_file():
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=str(entry.folder))


def _local_files(entry: ModelEntry, folder: Path, data_dir: Path) -> ModelFiles:
    check_folder(entry)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    weights = wanted_files(names, entry.variant, _skipped_folders(entry))
    if not any(name.endswith(".safetensors") for name in weights):
        raise ModelUnavailable(entry.name, ModelProblem.NO_SAFETENSORS, source=str(folder))
    digest = hashlib.sha256()
    for name, sha256 in zip(weights, sha256_of_all([folder / name for name in weights], data_dir), strict=True):
        digest.update(f"{name}\n{sha256}\n".encode())
    return ModelFiles(folder, digest.hexdigest()[:40])


def _listing(entry: ModelEntry, hub: Hub, revision: str | None) -> tuple[Commit, list[HubFile]]:
    """Ask the hub for the commit and the files that are wanted."""
    try:
        info = HfApi(endpoint=hub.endpoint, token=hub.token).model_info(
            entry.source, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
    except (HTTPError, OSError, ValueError) as error:
        raise hub_problem(entry, error, ModelProblem.UNREACHABLE) from error
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    names = wanted_files(list(siblings), entry.variant, _skipped_folders(entry))
    if "model_index.json" not in names:
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=entry.source)
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelUnavailable(entry.name, ModelProblem.NO_SAFETENSORS, source=entry.source)
    commit = Commit(
        repository=entry.source,
        revision=cast(str, info.sha),
        cache=cache_folder(hub),
        endpoint=hub.endpoint,
        token=hub.token,
    )
    return commit, [
        HubFile(
            name=name,
            size=siblings[name].size or 0,
            sha256=lfs.sha256 if (lfs := siblings[name].lfs) is not None else None,
        )
        for name in names
    ]


def _skipped_folders(entry: ModelEntry) -> frozenset[str]:
    arguments = FAMILIES[entry.family].load_arguments
    return frozenset(name for name, value in arguments.items() if value is None)


def cache_folder(hub: Hub = Hub()) -> Path:
    """Return where the hub's files are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE  # reads HF_HOME, which is not ours to read

    return Path(hub.cache_dir or HF_HUB_CACHE)


def free_bytes(folder: Path) -> int:
    """Return how much room the disk has that holds a folder, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _download(
    entry: ModelEntry, commit: Commit, files: list[HubFile], on_progress: OnProgress | None
) -> dict[str, str]:
    """Fetch what is missing of a commit; return the sha256 of each file."""
    here = {file.name: commit.bytes_here(file) for file in files}
    total_bytes = sum(file.size for file in files)

    def no_room() -> ModelUnavailable:
        needed_bytes = round((total_bytes - sum(here.values())) * _DISK_MARGIN)
        room = {"needed_bytes": needed_bytes, "free_bytes": free_bytes(commit.cache), "folder": str(commit.cache)}
        return ModelUnavailable(entry.name, ModelProblem.DISK_FULL, **room)

    if (full := no_room()).data["needed_bytes"] > full.data["free_bytes"]:
        raise full

    def arrived(name: str, count: int) -> None:
        here[name] = count
        if on_progress is not None:
            on_progress(sum(here.values()), total_bytes)

    try:
        return {file.name: commit.fetch(file, partial(arrived, file.name)) for file in files}
    except WrongContents as error:
        raise ModelUnavailable(entry.name, ModelProblem.DAMAGED, file=error.name) from error
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from error
        raise hub_problem(entry, error, ModelProblem.CUT_OFF) from error


def _cached(entry: ModelEntry, revision: str, names: list[str], hub: Hub) -> Path | None:
    try:
        path = Path(
            snapshot_download(
                entry.source,
                revision=revision,
                allow_patterns=names,
                cache_dir=hub.cache_dir,
                local_files_only=True,
                token=False,
            )
        )
    except (LocalEntryNotFoundError, ValueError):
        return None
    return path if all((path / name).is_file() for name in names) else None


def _compare(entry: ModelEntry, path: Path, locked: LockedModel, data_dir: Path) -> None:
    found = sha256_of_all([path / name for name in locked.files], data_dir)
    for (name, expected), sha256 in zip(locked.files.items(), found, strict=True):
        if sha256 != expected:
            raise ModelUnavailable(entry.name, ModelProblem.CHANGED, file=name, lock=str(data_dir / LOCK_NAME))
