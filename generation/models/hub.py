"""The hub: which one is asked, what is wanted from a repository, and the download of its files into the cache."""

import errno
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generation.errors import ModelUnavailable
from generation.models.download import Commit, HubFile, WrongContents
from generation.models.lock import is_commit
from generation.models.problems import ModelProblem

log = logging.getLogger(__name__)

_DISK_MARGIN = 1.1
_LOGGED_BYTES, _LOGGED_SHARE = 2**30, 0.1  # a log line for each such amount, whichever is larger
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Hub:
    """Which hub is asked and where its files are cached; None means what ``HF_ENDPOINT`` and ``HF_HOME`` say."""

    token: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    cache_dir: Path | None = None


USUAL_HUB = Hub()

OnProgress = Callable[[int, int], None]
"""Told how many bytes are here, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted from a repository, for which model, and under which name the lock file knows it.

    ``choose`` receives the names of the repository's files and returns the wanted ones; it raises ModelUnavailable if
    they are not what they should be. ``named`` is additional data for every sentence about it.
    """

    model: str
    hub_id: str
    revision: str | None
    licence: str
    lock_name: str
    choose: Callable[[list[str]], list[str]]
    named: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, reason: ModelProblem, **data: Any) -> ModelUnavailable:
        """Return the error for a reason, with all the data that its sentence may use."""
        known = {"source": self.hub_id, "revision": self.revision, "licence": self.licence}
        url = f"https://huggingface.co/{self.hub_id}"
        return ModelUnavailable(self.model, reason, **{**known, "url": url, **self.named, **data})

    def file_trouble(self, error: OSError, path: Path) -> ModelUnavailable:
        """Return the error for a file or folder on this machine that cannot be used."""
        return self.problem(ModelProblem.FILE_TROUBLE, path=str(error.filename or path), why=error.strerror)


def cache_folder(hub: Hub = USUAL_HUB) -> Path:
    """Return the folder in which the hub's files are cached."""
    from huggingface_hub.constants import HF_HUB_CACHE  # reads HF_HOME, which only the library should read

    return Path(hub.cache_dir or HF_HUB_CACHE)


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds a folder, which need not exist yet."""
    while not os.path.exists(folder):  # unlike Path.exists(), False where permission is denied
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _stays_inside(name: str) -> bool:
    """Tell whether a file name leads to a place inside its folder, on every operating system."""
    path = PureWindowsPath(name)  # it accepts slashes too
    return not path.anchor and ".." not in path.parts


def list_files(wanted: Wanted, hub: Hub, revision: str | None) -> tuple[Commit, list[HubFile]]:
    """Ask the hub for the commit and the wanted files."""
    try:
        info = HfApi(endpoint=hub.endpoint, token=hub.token).model_info(
            wanted.hub_id, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
        if not is_commit(info.sha or ""):
            raise ValueError("no commit")
    except (HTTPError, OSError, ValueError) as error:
        raise wanted.problem(_reason_of(error, ModelProblem.UNREACHABLE)) from error
    # A commit's files must stay inside its folder, whatever names a mirror gives them.
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


def download_files(
    wanted: Wanted, commit: Commit, files: list[HubFile], on_progress: OnProgress | None
) -> dict[str, str]:
    """Download what is missing of a commit; return the sha256 of each file."""
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
        log.info("downloading %s: %.2f GiB to go", wanted.hub_id, (total_bytes - logged_bytes) / 2**30)

    def arrived(name: str, count: int) -> None:
        nonlocal logged_bytes
        here[name] = count
        here_bytes = sum(here.values())
        if here_bytes - logged_bytes >= max(_LOGGED_BYTES, _LOGGED_SHARE * total_bytes):
            logged_bytes = here_bytes
            log.info("downloading %s: %d %% done", wanted.hub_id, 100 * here_bytes // total_bytes)
        if on_progress is not None:
            on_progress(here_bytes, total_bytes)

    try:
        digests = {file.name: commit.fetch(file, partial(arrived, file.name)) for file in files}
        if is_missing:
            log.info("%s has been downloaded", wanted.hub_id)
        return digests
    except WrongContents as error:
        raise wanted.problem(ModelProblem.DAMAGED, file=error.name) from error
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from error
        if isinstance(error, OSError) and error.filename is not None:
            raise wanted.file_trouble(error, commit.cache) from error
        raise wanted.problem(_reason_of(error, ModelProblem.CUT_OFF)) from error


def _reason_of(error: Exception, otherwise: ModelProblem) -> ModelProblem:
    """Return the reason for an error of the hub; ``otherwise`` is for errors without an HTTP response.

    The order matters: GatedRepoError is a RepositoryNotFoundError, and all of them are HfHubHTTPErrors.
    """
    match error:
        case GatedRepoError():
            return ModelProblem.GATED
        case RepositoryNotFoundError():
            return ModelProblem.NOT_FOUND
        case RevisionNotFoundError() | RemoteEntryNotFoundError():
            return ModelProblem.NO_SUCH_REVISION
        case HfHubHTTPError() if error.response.status_code in (401, 403):
            return ModelProblem.TOKEN_REFUSED
        case HfHubHTTPError():
            return ModelProblem.HUB_BUSY
    return otherwise
