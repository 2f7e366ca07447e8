"""Downloads one file from the hub into Hugging Face's cache, resuming what a broken connection or Ctrl+C left behind.

``snapshot_download`` deletes a partial file when it ends (huggingface_hub 2.4.0, ``_download_to_tmp_and_move``), so
interrupting it would cost gigabytes. Therefore the file is fetched with the library's ``http_get`` into a file of its
own and moved to its place in the cache once it is complete. It becomes an ordinary file there, as with the library
itself where it cannot create links (https://huggingface.co/docs/huggingface_hub/guides/manage-cache#limitations).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from httpx2 import HTTPError
from huggingface_hub import hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import WeakFileLock, build_hf_headers

from generation.models.digests import git_blob_id_of, sha256_of
from generation.models.lock import is_commit

_HEARTBEAT_SECONDS = 1.0  # a silent wait for another process's download would look hung

OnArrival = Callable[[int], None]
"""Told how many bytes of a file are here, and told less again if the hub has to begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A repository file as the hub announces it: with the sha256 of a large file, or the git blob id of a small one."""

    name: str
    size: int
    sha256: str | None
    blob_id: str | None

    def is_at(self, path: Path, sha256: str) -> bool:
        """Tell whether a file with this digest is the announced one."""
        if self.sha256 is not None:
            return sha256 == self.sha256
        return self.blob_id is None or git_blob_id_of(path) == self.blob_id


class WrongContents(Exception):
    """What was downloaded is not what the hub announced; it has been deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of a model repository, and where its files go."""

    repository: str
    revision: str
    cache: Path
    endpoint: str | None
    token: str | None = field(repr=False)

    @property
    def folder(self) -> Path:
        """The commit's folder in the cache."""
        return self.cache / self._repository_folder / "snapshots" / self.revision

    def bytes_here(self, file: HubFile) -> int:
        """Return how many bytes of a file are already here."""
        if (self.folder / file.name).is_file():
            return file.size
        partial = self._partial(file)
        return partial.stat().st_size if partial.is_file() else 0

    def fetch(self, file: HubFile, on_arrival: OnArrival) -> str:
        """Download a file unless it is here; return its sha256.

        Raises WrongContents, and what the library raises: HfHubHTTPError for an HTTP response, another HTTPError or
        OSError for a failed connection or disk.
        """
        path, partial = self.folder / file.name, self._partial(file)
        lock = self._lock(self.revision)
        for folder in (path.parent, partial.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        # The bot and a command line may want the same model at the same time.
        with _locked(lock, lambda: on_arrival(self.bytes_here(file))):
            if not path.is_file():
                self._complete(file, partial, on_arrival)
                os.replace(partial, path)
            on_arrival(file.size)
            digest = sha256_of(path)
            if not file.is_at(path, digest):
                path.unlink()
                raise WrongContents(file.name)
            return digest

    def delete_other_partials(self) -> None:
        """Delete partial files of the repository's other commits, unless a process is downloading them."""
        for partial in self._blobs.glob("*.incomplete"):
            revision, _, name = partial.name.partition("-")
            if name and is_commit(revision) and revision != self.revision:
                with suppress(OSError), WeakFileLock(self._lock(revision), timeout=_HEARTBEAT_SECONDS):
                    partial.unlink()

    def _complete(self, file: HubFile, partial: Path, on_arrival: OnArrival) -> None:
        """Download what is missing; resume after a broken connection as long as there is progress."""
        url = hf_hub_url(self.repository, file.name, revision=self.revision, endpoint=self.endpoint)
        headers = build_hf_headers(token=self.token)
        while True:
            with partial.open("ab") as stream:
                before = stream.tell()
                if before > file.size:
                    before = stream.truncate(0)
                try:
                    http_get(
                        url,
                        stream,
                        resume_size=before,
                        headers=headers,
                        expected_size=file.size or None,
                        tqdm_class=cast(Any, _progress_bar_class(on_arrival)),
                    )
                    return
                except HTTPError as error:
                    if isinstance(error, HfHubHTTPError) or stream.tell() <= before:
                        raise

    @property
    def _repository_folder(self) -> str:
        return repo_folder_name(repo_id=self.repository, repo_type="model")

    @property
    def _blobs(self) -> Path:
        return self.cache / self._repository_folder / "blobs"

    def _partial(self, file: HubFile) -> Path:
        return self._blobs / f"{self.revision}-{file.name.replace('/', '-')}.incomplete"

    def _lock(self, revision: str) -> Path:
        return self.cache / ".locks" / self._repository_folder / f"{revision}.lock"


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock shared with other processes; while another one holds it, call ``waiting`` now and then."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(WeakFileLock(path, timeout=_HEARTBEAT_SECONDS))
                break
            except TimeoutError:
                waiting()
        yield


def _progress_bar_class(on_arrival: OnArrival) -> type:
    """Return a class that ``http_get`` accepts as its progress bar."""

    class Bar:
        def __init__(self, *, initial: int = 0, **_: object) -> None:
            self._arrived = initial

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            self._arrived += count
            on_arrival(self._arrived)

    return Bar
