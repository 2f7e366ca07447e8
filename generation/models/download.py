"""Fetch one file of the hub into Hugging Face's cache, resuming what a cut connection or Ctrl+C has left.

``snapshot_download`` deletes a partial file when it ends (huggingface_hub 2.4.0, ``_download_to_tmp_and_move``), which
would cost whoever stops it gigabytes. So the file is fetched with the library's ``http_get`` into a file of its
own and moved to its place in the cache when it is whole. It becomes an ordinary file there, as the library itself does
where it cannot make links (https://huggingface.co/docs/huggingface_hub/guides/manage-cache#limitations).
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

_SIGN_SECONDS = 1.0  # a silent wait for another process's download would count as hung

OnArrival = Callable[[int], None]
"""Told how many bytes of a file are here, and told less again if the hub has to begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of a repository as the hub announces it: the sha256 of large files, of small ones the id of git's blob."""

    name: str
    size: int
    sha256: str | None
    blob_id: str | None

    def is_at(self, path: Path, sha256: str) -> bool:
        """Tell whether a file with this digest is the one that was announced."""
        if self.sha256 is not None:
            return sha256 == self.sha256
        return self.blob_id is None or git_blob_id_of(path) == self.blob_id


class WrongContents(Exception):
    """What arrived is not what the hub announced; it has been thrown away."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of a repository of models, and where its files go."""

    repository: str
    revision: str
    cache: Path
    endpoint: str | None
    token: str | None = field(repr=False)

    @property
    def folder(self) -> Path:
        """The folder of the commit in the cache."""
        return self.cache / self._repository_folder / "snapshots" / self.revision

    def bytes_here(self, file: HubFile) -> int:
        """Return how much of a file need not be fetched any more."""
        if (self.folder / file.name).is_file():
            return file.size
        half = self._half(file)
        return half.stat().st_size if half.is_file() else 0

    def fetch(self, file: HubFile, on_arrival: OnArrival) -> str:
        """Fetch a file unless it is here, and return its sha256.

        Raises WrongContents, and what the library raises: HfHubHTTPError for an answer, another HTTPError or OSError
        for a connection or a disk that failed.
        """
        path, half = self.folder / file.name, self._half(file)
        lock = self._lock(self.revision)
        for folder in (path.parent, half.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        # The bot and a shell may want the same model at the same time.
        with _locked(lock, lambda: on_arrival(self.bytes_here(file))):
            if not path.is_file():
                self._complete(file, half, on_arrival)
                os.replace(half, path)
            on_arrival(file.size)
            digest = sha256_of(path)
            if not file.is_at(path, digest):
                path.unlink()
                raise WrongContents(file.name)
            return digest

    def delete_other_halves(self) -> None:
        """Delete partial files of the repository's other commits, unless a process is fetching them."""
        for half in self._blobs.glob("*.incomplete"):
            revision, _, name = half.name.partition("-")
            if name and is_commit(revision) and revision != self.revision:
                with suppress(OSError), WeakFileLock(self._lock(revision), timeout=_SIGN_SECONDS):
                    half.unlink()

    def _complete(self, file: HubFile, half: Path, on_arrival: OnArrival) -> None:
        """Fetch what is missing; resume a broken connection as long as there is progress."""
        url = hf_hub_url(self.repository, file.name, revision=self.revision, endpoint=self.endpoint)
        headers = build_hf_headers(token=self.token)
        while True:
            with half.open("ab") as stream:
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
                        tqdm_class=cast(Any, _bar_that_tells(on_arrival)),
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

    def _half(self, file: HubFile) -> Path:
        return self._blobs / f"{self.revision}-{file.name.replace('/', '-')}.incomplete"

    def _lock(self, revision: str) -> Path:
        return self.cache / ".locks" / self._repository_folder / f"{revision}.lock"


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that other processes respect; while one of them has it ``waiting`` is called now and then."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(WeakFileLock(path, timeout=_SIGN_SECONDS))
                break
            except TimeoutError:
                waiting()
        yield


def _bar_that_tells(on_arrival: OnArrival) -> type:
    """Return what ``http_get`` takes for its progress bar."""

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
