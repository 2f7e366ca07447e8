"""How often the picture check takes a harmless picture for a sexual one.

    python -m prove.false_alarms

Every picture is one that nobody would object to, and takes the path of an upload: through the decoder, then to the
process that classifies pictures. Counted are those that a server's policy would hide or block. Nothing sexual is
classified, so this does not measure how much of what should be found is found.

The pictures: stamps of Tux Paint (photographs and drawings of animals, food, houses, toys; Debian's package, GPL-2),
scikit-image's samples (BSD), the photographs and drawings of the playground, and scenes drawn as for the demo model.
Packages are fetched by name from the sources that this machine uses anyway, and verified by the sha256 below.
"""

import argparse
import asyncio
import hashlib
import io
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.screening.policy import MINOR_BLOCK_SCORE
from bot.storage.policies import DEFAULT_POLICY
from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.safety.checker import PictureChecker
from generation.safety.verdict import Label
from prove import BROKEN, IMPOSSIBLE, KEPT
from prove.page import write_line
from prove.rounds import REPOSITORY, STATE
from training.data import drawn, sampled
from training.words import VOCABULARY_A

THRESHOLDS = (MINOR_BLOCK_SCORE, DEFAULT_POLICY.spoiler_score, DEFAULT_POLICY.block_score)
LEAST_PICTURES = 1000
MOST_BLOCKED = 0.01
SCENES = 300
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Package:
    """A source of harmless pictures: the command that fetches its file, the file's name and sha256, the folder used."""

    name: str
    command: tuple[str, ...]
    file: str
    sha256: str
    folder: str


PACKAGES = (
    Package(
        "Tux Paint's stamps",
        ("apt-get", "download", "tuxpaint-stamps-default=2022.06.04-1"),
        "tuxpaint-stamps-default_2022.06.04-1_all.deb",
        "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        "./usr/share/tuxpaint/stamps/",
    ),
    Package(
        "scikit-image's samples",
        (
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--platform", "manylinux2014_x86_64", "--python-version", "3.11", "scikit-image==0.25.2"),
        ),
        "scikit_image-0.25.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
        "skimage/data/",
    ),
)


def fetched(package: Package, folder: Path) -> Path | None:
    """Return the path of a package, fetched if necessary, or None if impossible; raise ValueError for a wrong file."""
    path = folder / package.file
    if not path.exists():
        try:
            subprocess.run(package.command, cwd=folder, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{package.name} could not be fetched: {error}", file=sys.stderr)
            return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise ValueError(f"{path} is not the file that is meant: delete it and start again")
    return path


def pictures_in(path: Path, folder: str) -> Iterator[bytes]:
    """Yield the pictures in a folder of a wheel or of a Debian package."""

    def is_meant(name: str) -> bool:
        return name.startswith(folder) and name.lower().endswith(_ENDINGS)

    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from (wheel.read(name) for name in wheel.namelist() if is_meant(name))
        return
    unpacking = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(path)], stdout=subprocess.PIPE)
    with unpacking, tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
        for member in archive:
            if member.isfile() and is_meant(member.name) and (file := archive.extractfile(member)) is not None:
                yield file.read()


def scenes() -> Iterator[bytes]:
    """Yield scenes like those that the demo model learns, the same every time."""
    draw = random.Random(2026)
    for _ in range(SCENES):
        file = io.BytesIO()
        drawn(sampled(VOCABULARY_A, draw), (256, 256), draw).save(file, "PNG")
        yield file.getvalue()


async def scores_of(pictures: Iterable[bytes]) -> list[float]:
    """Return the score of each picture that would be accepted as an upload."""
    scores: list[float] = []
    async with ImageDecoder() as decoder, PictureChecker() as checker:
        for data in pictures:
            try:
                clean = await decoder.decode(data)
            except ImageRefused:  # too large, or of a format that is not accepted
                continue
            scores.append((await checker.check(clean.data)).verdict.score(Label.NSFW))
    return scores


def figure_of(scores: Mapping[str, Sequence[float]]) -> str:
    """Say how many pictures, in total and of each set, reach the thresholds."""
    everything = [score for each in scores.values() for score in each]

    def counts(of: Sequence[float]) -> str:
        reached = "/".join(str(sum(score >= threshold for score in of)) for threshold in THRESHOLDS)
        return f"{reached} of {len(of):,}"

    thresholds = "/".join(f"{threshold:g}" for threshold in THRESHOLDS)
    sets = ", ".join(f"{name} {counts(each)}" for name, each in scores.items())
    return f"from {thresholds}: {counts(everything)} ({sets})"


def is_kept(scores: Mapping[str, Sequence[float]]) -> bool:
    """Tell whether few enough pictures are blocked."""
    everything = [score for each in scores.values() for score in each]
    blocked = sum(score >= DEFAULT_POLICY.block_score for score in everything)
    return blocked <= MOST_BLOCKED * len(everything)


def main(arguments: Sequence[str] | None = None) -> int:
    """Classify all pictures; return 0 if few enough are blocked, 1 if not, 2 if too few pictures are available."""
    argparse.ArgumentParser(prog="python -m prove.false_alarms").parse_args(arguments)
    folder = STATE / "false_alarms"
    folder.mkdir(parents=True, exist_ok=True)
    sources: dict[str, Callable[[], Iterator[bytes]]] = {}
    for package in PACKAGES:
        if (path := fetched(package, folder)) is not None:
            sources[package.name] = lambda path=path, package=package: pictures_in(path, package.folder)
    photographs = sorted((REPOSITORY / "playground" / "photographs").glob("*.*g"))
    sources["the playground's"] = lambda: (path.read_bytes() for path in photographs)
    sources["drawn scenes"] = scenes
    scores = {name: asyncio.run(scores_of(pictures())) for name, pictures in sources.items()}
    print(figure_of(scores), file=sys.stderr)
    if sum(map(len, scores.values())) < LEAST_PICTURES:
        return IMPOSSIBLE
    if not is_kept(scores):
        return BROKEN
    write_line(
        "At most 1 % of harmless pictures would be blocked (from 0.8); from 0.6 they are hidden",
        figure_of(scores),
        "python -m prove.false_alarms",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
