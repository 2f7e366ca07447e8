"""Files from hub repositories on this machine: found or downloaded once, and the same from then on.

``DATA_DIR/models.lock`` records, for everything ever wanted, the commit and the sha256 of each file at its first
download; anything that differs later is refused. Files that have not changed since the last start are not hashed again
(``generation/models/digests.py``).
"""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from generation.errors import ModelUnavailable
from generation.models.digests import sha256_of_all
from generation.models.hub import USUAL_HUB, Hub, OnProgress, Wanted, download_files, list_files
from generation.models.lock import LockedModel, read_lock, write_lock
from generation.models.problems import ModelProblem

LOCK_NAME = "models.lock"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where files are and their revision: a commit, or for a local folder a digest of its files."""

    path: Path
    revision: str


def ensure(wanted: Wanted, data_dir: Path, hub: Hub, on_progress: OnProgress | None = None) -> ModelFiles:
    """Return the files, downloading what is missing; raise ModelUnavailable if that is impossible.

    What has been downloaded is kept whatever happens, and the next call resumes from there. ``on_progress`` is called
    only during a download.
    """
    lock_path = data_dir / LOCK_NAME
    locked = _locked(wanted, lock_path)
    if locked is not None:
        path = _cached(wanted, locked, hub)
        if path is None:
            commit, files = list_files(wanted, hub, locked.revision)
            download_files(wanted, commit, [file for file in files if file.name in locked.files], on_progress)
            path = commit.folder
        _compare(wanted, path, locked, data_dir)
        _keep_from_pruning(wanted, path)
        return ModelFiles(path, locked.revision)
    commit, files = list_files(wanted, hub, wanted.revision)
    locked = LockedModel(commit.revision, download_files(wanted, commit, files, on_progress))
    try:
        write_lock(lock_path, {**read_lock(lock_path), wanted.lock_name: locked})
    except OSError as error:
        raise wanted.file_trouble(error, lock_path) from error
    commit.delete_other_partials()
    _keep_from_pruning(wanted, commit.folder)
    return ModelFiles(commit.folder, commit.revision)


def here(wanted: Wanted, data_dir: Path, hub: Hub = USUAL_HUB) -> ModelFiles | None:
    """Return the files if they could be used without the network, else None; nothing is hashed."""
    try:
        locked = _locked(wanted, data_dir / LOCK_NAME)
    except ModelUnavailable:
        return None
    path = None if locked is None else _cached(wanted, locked, hub)
    return None if path is None or locked is None else ModelFiles(path, locked.revision)


def locked_names(wanted: Wanted, data_dir: Path) -> list[str]:
    """Return the names of the files of the first download, none before it."""
    locked = _locked(wanted, data_dir / LOCK_NAME)
    return [] if locked is None else list(locked.files)


def _locked(wanted: Wanted, lock_path: Path) -> LockedModel | None:
    try:
        locked = read_lock(lock_path).get(wanted.lock_name)
    except ValueError as error:
        raise wanted.problem(ModelProblem.LOCK_BROKEN, lock=str(lock_path)) from error
    except OSError as error:
        raise wanted.file_trouble(error, lock_path) from error
    return locked if locked is not None and wanted.revision in (None, locked.revision) else None


def _cached(wanted: Wanted, locked: LockedModel, hub: Hub) -> Path | None:
    names = list(locked.files)
    try:
        path = Path(
            snapshot_download(
                wanted.hub_id,
                revision=locked.revision,
                allow_patterns=names,
                cache_dir=hub.cache_dir,
                local_files_only=True,
                token=False,
            )
        )
    except (LocalEntryNotFoundError, ValueError):
        return None
    return path if all((path / name).is_file() for name in names) else None


def _keep_from_pruning(wanted: Wanted, snapshot: Path) -> None:
    """Give the commit a ref, like a branch: ``hf cache prune`` deletes commits without one."""
    name = "palimpsest" + re.sub(r"[^\w.-]", "-", wanted.lock_name.removeprefix(wanted.hub_id))
    ref = snapshot.parents[1] / "refs" / name
    with contextlib.suppress(OSError):  # a read-only cache cannot be pruned either
        ref.parent.mkdir(exist_ok=True)
        ref.write_text(snapshot.name, encoding="ascii")


def _compare(wanted: Wanted, path: Path, locked: LockedModel, data_dir: Path) -> None:
    found = sha256_of_all([path / name for name in locked.files], data_dir)
    for (name, expected), sha256 in zip(locked.files.items(), found, strict=True):
        if sha256 != expected:
            raise wanted.problem(ModelProblem.CHANGED, file=name, lock=str(data_dir / LOCK_NAME))
