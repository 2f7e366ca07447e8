"""The command lines with the wrong Python; their output is tested with each of them."""

import subprocess
import sys

import pytest

from generation.models.catalog import REPOSITORY


@pytest.mark.parametrize("package", ["bot", "generation", "playground"])
def test_a_python_without_the_packages_is_told_of_the_one_that_has_them(package: str) -> None:
    command = [sys.executable, "-S", "-m", package, "--help"]  # without site-packages
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("This Python has no ")
    assert "`python3 run.py setup`" in done.stderr
    assert done.stderr.count("\n") == 1
