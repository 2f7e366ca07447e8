"""When the parent dies, even by SIGKILL, its child ends, whatever it is computing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from generation.models.catalog import REPOSITORY

GRACE_SECONDS = 60.0  # generous for busy machines; a child that missed its parent's end would live for ever


@contextmanager
def parent_of(folder: Path, script: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Start a parent whose child has begun the script."""
    command = [sys.executable, "-m", "tests.generation.executors.mortal_parent", str(folder), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as parent:
        assert parent.stdout is not None
        try:
            yield parent, psutil.Process(int(parent.stdout.readline()))
        finally:
            parent.kill()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("step gate:arrived compute:computing", id="torch computes and holds its threads"),
        pytest.param("step gate:arrived hold_interpreter", id="native code holds the interpreter lock"),
        pytest.param("step gate:arrived hang", id="it waits for ever"),
    ],
)
def test_the_child_ends_with_a_parent_that_was_killed(tmp_path: Path, script: str) -> None:
    for name in ("arrived", "computing"):
        os.mkfifo(tmp_path / name)
    with parent_of(tmp_path, script) as (parent, child):
        (tmp_path / "arrived").write_bytes(b"")  # the child goes on into the call that never returns
        assert child.is_running()
        if "compute" in script:
            (tmp_path / "computing").read_bytes()  # until torch is at work
        parent.kill()
        child.wait(GRACE_SECONDS)  # raises psutil.TimeoutExpired if the child outlives the grace


def test_the_child_ends_with_a_parent_that_ends(tmp_path: Path) -> None:
    with parent_of(tmp_path, "step hang") as (parent, child):
        parent.terminate()
        child.wait(GRACE_SECONDS)
