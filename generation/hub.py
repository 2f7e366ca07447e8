"""The files of a model: found on this machine or downloaded once, and the same ever after.

``DATA_DIR/models.lock`` remembers, for every repository of the hub, the commit and the sha256 of each file of the first
download; whatever differs later is refused. Only safetensors and text files are taken, never a pickle, never code.
"""

import errno
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generation.catalog import ModelEntry
from generation.errors import ModelUnavailable
from generation.families import FAMILIES
from generation.model_problems import ModelProblem
from generation.models_lock import LockedModel, read_lock, sha256_of, write_lock

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

    token: str | None = None
    endpoint: str | None = None
    cache_dir: Path | None = None


def ensure_model(entry: ModelEntry, data_dir: Path, hub: Hub = Hub()) -> ModelFiles:
    """Return the model's files, downloading what is missing; raise ModelUnavailable if that is impossible."""
    if entry.folder is not None:
        return _local_files(entry, entry.folder)
    lock_path = data_dir / LOCK_NAME
    locked = read_lock(lock_path).get(entry.source)
    if locked is not None and entry.revision in (None, locked.revision):
        path = _snapshot(entry, locked.revision, list(locked.files), hub)
        _compare(entry, path, locked, lock_path)
        return ModelFiles(path, locked.revision)
    revision, hashes = _listing(entry, hub)
    path = _snapshot(entry, revision, list(hashes), hub)
    locked = LockedModel(revision, {name: sha256_of(path / name) for name in hashes})
    for name, expected in hashes.items():
        if expected is not None and locked.files[name] != expected:
            raise ModelUnavailable(entry.name, ModelProblem.DAMAGED, file=name)
    write_lock(lock_path, {**read_lock(lock_path), entry.source: locked})
    return ModelFiles(path, revision)


def is_here(entry: ModelEntry, data_dir: Path, hub: Hub = Hub()) -> bool:
    """Tell whether the model could be used without a network; nothing is hashed."""
    if entry.folder is not None:
        return (entry.folder / "model_index.json").is_file()
    locked = read_lock(data_dir / LOCK_NAME).get(entry.source)
    return locked is not None and _cached(entry, locked.revision, list(locked.files), hub) is not None


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


def _local_files(entry: ModelEntry, folder: Path) -> ModelFiles:
    if not folder.is_dir():
        raise ModelUnavailable(entry.name, ModelProblem.NO_FOLDER, folder=str(folder))
    if not (folder / "model_index.json").is_file():
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=str(folder))
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    weights = wanted_files(names, entry.variant, _skipped_folders(entry))
    if not any(name.endswith(".safetensors") for name in weights):
        raise ModelUnavailable(entry.name, ModelProblem.NO_SAFETENSORS, source=str(folder))
    digest = hashlib.sha256()
    for name in weights:
        digest.update(f"{name}\n{sha256_of(folder / name)}\n".encode())
    return ModelFiles(folder, digest.hexdigest()[:40])


def _listing(entry: ModelEntry, hub: Hub) -> tuple[str, dict[str, str | None]]:
    """Ask the hub for the commit and, for each file that is wanted, its sha256 where the hub knows it."""
    try:
        info = HfApi(endpoint=hub.endpoint, token=hub.token).model_info(
            entry.source, revision=entry.revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
    except (HTTPError, OSError, ValueError) as error:
        raise _unavailable(entry, error) from error
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    names = wanted_files(list(siblings), entry.variant, _skipped_folders(entry))
    if "model_index.json" not in names:
        raise ModelUnavailable(entry.name, ModelProblem.NOT_A_MODEL, source=entry.source)
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelUnavailable(entry.name, ModelProblem.NO_SAFETENSORS, source=entry.source)
    needed_bytes = sum(siblings[name].size or 0 for name in names)
    _check_disk(entry, hub, needed_bytes)
    hashes = {name: lfs.sha256 if (lfs := siblings[name].lfs) is not None else None for name in names}
    return cast(str, info.sha), hashes


def _skipped_folders(entry: ModelEntry) -> frozenset[str]:
    arguments = FAMILIES[entry.family].load_arguments
    return frozenset(name for name, value in arguments.items() if value is None)


def _check_disk(entry: ModelEntry, hub: Hub, needed_bytes: int) -> None:
    from huggingface_hub.constants import HF_HUB_CACHE  # reads HF_HOME, which is not ours to read

    folder = Path(hub.cache_dir or HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    if shutil.disk_usage(folder).free < needed_bytes * _DISK_MARGIN:
        raise ModelUnavailable(entry.name, ModelProblem.DISK_FULL, needed_bytes=needed_bytes)


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


def _snapshot(entry: ModelEntry, revision: str, names: list[str], hub: Hub) -> Path:
    """Return the folder of a commit, asking the network only for what is not here yet."""
    cached = _cached(entry, revision, names, hub)
    if cached is not None:
        return cached
    try:
        return Path(
            snapshot_download(
                entry.source,
                revision=revision,
                allow_patterns=names,
                cache_dir=hub.cache_dir,
                endpoint=hub.endpoint,
                token=hub.token,
            )
        )
    except (HTTPError, OSError, ValueError) as error:
        raise _unavailable(entry, error) from error


def _unavailable(entry: ModelEntry, error: Exception) -> ModelUnavailable:
    """Turn an error of the hub into one with a reason.

    The order matters: GatedRepoError is a RepositoryNotFoundError, all of them are OSErrors, and what the hub answered
    after the last retry hides behind LocalEntryNotFoundError.
    """

    def problem(reason: ModelProblem, **data: Any) -> ModelUnavailable:
        return ModelUnavailable(entry.name, reason, **data)

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
        error = error.__cause__
    match error:
        case GatedRepoError():
            return problem(ModelProblem.GATED, url=f"https://huggingface.co/{entry.source}")
        case RepositoryNotFoundError():
            return problem(ModelProblem.NOT_FOUND, source=entry.source)
        case RevisionNotFoundError() | EntryNotFoundError() if not isinstance(error, LocalEntryNotFoundError):
            return problem(ModelProblem.NO_SUCH_REVISION, source=entry.source, revision=entry.revision)
        case HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            return problem(ModelProblem.TOKEN_REFUSED)
        case HfHubHTTPError() if not isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled):
            return problem(ModelProblem.HUB_BUSY)
        case OSError(errno=errno.ENOSPC):
            return problem(ModelProblem.DISK_FULL, needed_bytes=0)
    return problem(ModelProblem.UNREACHABLE, source=entry.source)


def _compare(entry: ModelEntry, path: Path, locked: LockedModel, lock_path: Path) -> None:
    for name, expected in locked.files.items():
        if sha256_of(path / name) != expected:
            raise ModelUnavailable(entry.name, ModelProblem.CHANGED, file=name, lock=str(lock_path))
