"""When the parent dies, even by SIGKILL, its child ends, whatever it computes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from generation.models.catalog import REPOSITORY

GRACE_SECONDS = 2.0  # a promise: two children must never hold the memory of one device


@contextmanager
def parent_of(folder: Path, script: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Start a parent whose child has begun with the script."""
    command = [sys.executable, "-m", "tests.generation.mortal_parent", str(folder), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as parent:
        assert parent.stdout is not None
        try:
            yield parent, psutil.Process(int(parent.stdout.readline()))
        finally:
            parent.kill()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("step gate:arrived compute", id="torch computes and holds its threads"),
        pytest.param("step gate:arrived hold_interpreter", id="native code holds the interpreter lock"),
        pytest.param("step gate:arrived hang", id="it waits for ever"),
    ],
)
def test_the_child_ends_with_a_parent_that_was_killed(tmp_path: Path, script: str) -> None:
    os.mkfifo(tmp_path / "arrived")
    with parent_of(tmp_path, script) as (parent, child):
        (tmp_path / "arrived").write_bytes(b"")  # the child goes on into what it does not come back from
        assert child.is_running()
        if "compute" in script:
            _wait_until_it_computes(child)
        parent.kill()
        child.wait(GRACE_SECONDS)  # raises psutil.TimeoutExpired if the child outlives the grace


def test_the_child_ends_with_a_parent_that_ends(tmp_path: Path) -> None:
    with parent_of(tmp_path, "step hang") as (parent, child):
        parent.terminate()
        child.wait(GRACE_SECONDS)


def _wait_until_it_computes(child: psutil.Process) -> None:
    """Return once torch is loaded and its threads are at work."""
    while not any("libtorch_cpu" in mapping.path for mapping in child.memory_maps()):
        child.cpu_percent(interval=0.1)
    while child.cpu_percent(interval=0.2) < 40:
        pass
