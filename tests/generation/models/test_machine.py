"""The machine's memory and cards, found without torch."""

import os
from pathlib import Path

import pytest

from generation.models.machine import Accelerator, this_machine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that answers as NVIDIA's would on a machine with two cards."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 3060, 12288'\necho 'NVIDIA GeForce GTX 1650, 4096'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return program


@pytest.mark.parametrize(("max_vram", "large"), [(None, 12288), (6 * 2**30, 6144)])
def test_of_a_card_only_what_may_be_taken_counts(nvidia_smi: Path, max_vram: int | None, large: int) -> None:
    assert this_machine(max_vram).accelerators == (
        Accelerator("NVIDIA GeForce RTX 3060", large * 2**20),
        Accelerator("NVIDIA GeForce GTX 1650", 4096 * 2**20),
    )


def test_a_driver_that_does_not_answer_is_no_card(nvidia_smi: Path) -> None:
    nvidia_smi.write_text('#!/bin/sh\necho "couldn\'t communicate with the NVIDIA driver"; exit 9\n')
    assert "cuda" not in [each.device for each in this_machine().accelerators]
