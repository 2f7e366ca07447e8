"""Files of repositories of the hub: found on this machine or downloaded once, and the same ever after.

``DATA_DIR/models.lock`` remembers, for everything that was ever wanted, the commit and the sha256 of each file of the
first download; whatever differs later is refused. What is as it was at the last start is not read again for that
(``generation/models/digests.py``).
"""

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from generation.errors import ModelUnavailable
from generation.models.digests import sha256_of_all
from generation.models.download import Commit, HubFile, WrongContents
from generation.models.hub_errors import reason_of
from generation.models.lock import LockedModel, is_commit, read_lock, write_lock
from generation.models.problems import ModelProblem

log = logging.getLogger(__name__)

LOCK_NAME = "models.lock"
_DISK_MARGIN = 1.1
_LOGGED_BYTES, _LOGGED_SHARE = 2**30, 0.1  # one line of the log for so much that has arrived, whichever is more
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where files lie and which they are: a commit, or for a local folder a digest of its files."""

    path: Path
    revision: str


@dataclass(frozen=True, slots=True)
class Hub:
    """Which hub is asked and where its files are kept; None is what ``HF_ENDPOINT`` and ``HF_HOME`` say."""

    token: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    cache_dir: Path | None = None


USUAL_HUB = Hub()

OnProgress = Callable[[int, int], None]
"""Told how many bytes are here, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of a repository, for which model, and under which name the lock knows it.

    ``choose`` takes the names of the repository's files and returns those that are wanted; it raises ModelUnavailable
    where they are not what they should be. ``named`` is what every sentence about it names beside the model.
    """

    model: str
    hub_id: str
    revision: str | None
    licence: str
    lock_name: str
    choose: Callable[[list[str]], list[str]]
    named: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, reason: ModelProblem, **data: Any) -> ModelUnavailable:
        """Return the error for a reason, with all that its sentence may name."""
        known = {"source": self.hub_id, "revision": self.revision, "licence": self.licence}
        url = f"https://huggingface.co/{self.hub_id}"
        return ModelUnavailable(self.model, reason, **{**known, "url": url, **self.named, **data})

    def file_trouble(self, error: OSError, path: Path) -> ModelUnavailable:
        """Return the error for a file or folder of this machine that cannot be used."""
        return self.problem(ModelProblem.FILE_TROUBLE, path=str(error.filename or path), why=error.strerror)


def ensure(wanted: Wanted, data_dir: Path, hub: Hub, on_progress: OnProgress | None = None) -> ModelFiles:
    """Return the files, downloading what is missing; raise ModelUnavailable if that is impossible.

    What has arrived is kept whatever happens, and the next call goes on from there. ``on_progress`` is called only
    while something is downloaded.
    """
    lock_path = data_dir / LOCK_NAME
    locked = _locked(wanted, lock_path)
    if locked is not None:
        path = _cached(wanted, locked, hub)
        if path is None:
            commit, files = _listing(wanted, hub, locked.revision)
            _download(wanted, commit, [file for file in files if file.name in locked.files], on_progress)
            path = commit.folder
        _compare(wanted, path, locked, data_dir)
        _keep_from_pruning(wanted, path)
        return ModelFiles(path, locked.revision)
    commit, files = _listing(wanted, hub, wanted.revision)
    locked = LockedModel(commit.revision, _download(wanted, commit, files, on_progress))
    try:
        write_lock(lock_path, {**read_lock(lock_path), wanted.lock_name: locked})
    except OSError as error:
        raise wanted.file_trouble(error, lock_path) from error
    commit.delete_other_halves()
    _keep_from_pruning(wanted, commit.folder)
    return ModelFiles(commit.folder, commit.revision)


def here(wanted: Wanted, data_dir: Path, hub: Hub = USUAL_HUB) -> ModelFiles | None:
    """Return the files if they could be used without a network; nothing is hashed."""
    try:
        locked = _locked(wanted, data_dir / LOCK_NAME)
    except ModelUnavailable:
        return None
    path = None if locked is None else _cached(wanted, locked, hub)
    return None if path is None or locked is None else ModelFiles(path, locked.revision)


def locked_names(wanted: Wanted, data_dir: Path) -> list[str]:
    """Return the names of the files that the first download brought; none before it."""
    locked = _locked(wanted, data_dir / LOCK_NAME)
    return [] if locked is None else list(locked.files)


def cache_folder(hub: Hub = USUAL_HUB) -> Path:
    """Return where the hub's files are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE  # reads HF_HOME, which is not ours to read

    return Path(hub.cache_dir or HF_HUB_CACHE)


def free_bytes(folder: Path) -> int:
    """Return how much room the disk has that holds a folder, which need not exist yet."""
    while not os.path.exists(folder):  # unlike Path's own it takes what may not be looked at for absent
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _locked(wanted: Wanted, lock_path: Path) -> LockedModel | None:
    try:
        locked = read_lock(lock_path).get(wanted.lock_name)
    except ValueError as error:
        raise wanted.problem(ModelProblem.LOCK_BROKEN, lock=str(lock_path)) from error
    except OSError as error:
        raise wanted.file_trouble(error, lock_path) from error
    return locked if locked is not None and wanted.revision in (None, locked.revision) else None


def _stays_inside(name: str) -> bool:
    """Tell whether a file's name leads to a place in its folder on every system."""
    path = PureWindowsPath(name)  # which knows slashes, too
    return not path.anchor and ".." not in path.parts


def _listing(wanted: Wanted, hub: Hub, revision: str | None) -> tuple[Commit, list[HubFile]]:
    """Ask the hub for the commit and the files that are wanted."""
    try:
        info = HfApi(endpoint=hub.endpoint, token=hub.token).model_info(
            wanted.hub_id, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
        if not is_commit(info.sha or ""):
            raise ValueError("no commit")
    except (HTTPError, OSError, ValueError) as error:
        raise wanted.problem(reason_of(error, ModelProblem.UNREACHABLE)) from error
    # Its folder is where a commit's files go, whatever a mirror calls them.
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or [] if _stays_inside(sibling.rfilename)}
    commit = Commit(
        repository=wanted.hub_id,
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
            blob_id=siblings[name].blob_id,
        )
        for name in wanted.choose(list(siblings))
    ]


def _download(wanted: Wanted, commit: Commit, files: list[HubFile], on_progress: OnProgress | None) -> dict[str, str]:
    """Fetch what is missing of a commit; return the sha256 of each file."""
    here = {file.name: commit.bytes_here(file) for file in files}
    total_bytes = sum(file.size for file in files)

    def no_room() -> ModelUnavailable:
        needed_bytes = round((total_bytes - sum(here.values())) * _DISK_MARGIN)
        room = {"needed_bytes": needed_bytes, "free_bytes": free_bytes(commit.cache), "folder": str(commit.cache)}
        return wanted.problem(ModelProblem.DISK_FULL, **room)

    if (full := no_room()).data["needed_bytes"] > full.data["free_bytes"]:
        raise full

    logged_bytes = sum(here.values())
    if is_missing := logged_bytes < total_bytes:
        log.info("downloading %s: %.2f GiB are to come", wanted.hub_id, (total_bytes - logged_bytes) / 2**30)

    def arrived(name: str, count: int) -> None:
        nonlocal logged_bytes
        here[name] = count
        here_bytes = sum(here.values())
        if here_bytes - logged_bytes >= max(_LOGGED_BYTES, _LOGGED_SHARE * total_bytes):
            logged_bytes = here_bytes
            log.info("downloading %s: %d %% are here", wanted.hub_id, 100 * here_bytes // total_bytes)
        if on_progress is not None:
            on_progress(here_bytes, total_bytes)

    try:
        digests = {file.name: commit.fetch(file, partial(arrived, file.name)) for file in files}
        if is_missing:
            log.info("%s is here", wanted.hub_id)
        return digests
    except WrongContents as error:
        raise wanted.problem(ModelProblem.DAMAGED, file=error.name) from error
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from error
        if isinstance(error, OSError) and error.filename is not None:
            raise wanted.file_trouble(error, commit.cache) from error
        raise wanted.problem(reason_of(error, ModelProblem.CUT_OFF)) from error


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
    """Give the commit a name, as branches have one: ``hf cache prune`` deletes what has none, as the one before."""
    name = "palimpsest" + re.sub(r"[^\w.-]", "-", wanted.lock_name.removeprefix(wanted.hub_id))
    ref = snapshot.parents[1] / "refs" / name
    with contextlib.suppress(OSError):  # a cache that cannot be written cannot be pruned either
        ref.parent.mkdir(exist_ok=True)
        ref.write_text(snapshot.name, encoding="ascii")


def _compare(wanted: Wanted, path: Path, locked: LockedModel, data_dir: Path) -> None:
    found = sha256_of_all([path / name for name in locked.files], data_dir)
    for (name, expected), sha256 in zip(locked.files.items(), found, strict=True):
        if sha256 != expected:
            raise wanted.problem(ModelProblem.CHANGED, file=name, lock=str(data_dir / LOCK_NAME))
