"""The lock file: what the container installs, file by file."""

import re
from pathlib import Path

import PIL

import run

REPOSITORY = Path(__file__).parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")


def normalised(name: str) -> str:
    """Return a package's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_has_the_versions_of_the_requirements() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE))
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [re.sub(r"\[.*\]", "", line).split("==") for line in lines if line and not line.startswith("#")]
    assert wanted == [[name, locked.get(normalised(name))] for name, _ in wanted]


def test_every_file_of_the_lock_has_its_hash_and_none_an_address() -> None:
    packages = re.split(r"\n(?=\w)", LOCK[LOCK.index("\naccelerate") :].strip())
    assert len(packages) > 50
    for package in packages:
        first, *hashes = package.split(" \\\n    ")
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", first), first
        assert hashes, first
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), first


def test_set_up_takes_the_locked_versions_without_their_hashes() -> None:
    versions = run.locked_versions(REPOSITORY / "requirements.lock")
    assert "pillow==13.0.0" in versions
    assert not any("--hash" in line or "\\" in line for line in versions)


def test_pillow_has_the_fixes_that_uploads_need() -> None:
    assert int(PIL.__version__.partition(".")[0]) >= 13
