"""Pages of memory-mapped model files are released, and never anything else."""

import sys
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.engine.kernels import preparing
from generation.engine.kernels.mapped_files import MappedFiles
from generation.engine.kernels.preparing import prepare_part


def resident_bytes(file: Path) -> int:
    """Return how much of a mapped file is resident in this process."""
    maps = psutil.Process().memory_maps(grouped=False)  # pyright: ignore[reportAttributeAccessIssue] - not on macOS
    return sum(row.rss for row in maps if row.path == str(file))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file with a convolution of 4.5 MiB and a linear layer of 2 MiB, in bfloat16."""
    file = tmp_path / "weights.safetensors"
    save_file({"conv": torch.randn(512, 512, 3, 3).bfloat16(), "linear": torch.randn(1024, 1024).bfloat16()}, file)
    return file


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="what is mapped is only looked up on Linux")


@linux_only
def test_the_pages_of_a_tensor_are_given_back_and_come_again_when_they_are_read(weights: Path) -> None:
    mapped = load_file(weights)["conv"]
    copy = mapped.clone()  # reads every page
    assert resident_bytes(weights) >= mapped.nbytes
    MappedFiles().release_pages(mapped)
    assert resident_bytes(weights) < mapped.nbytes / 2
    assert torch.equal(mapped, copy)


@linux_only
def test_what_is_no_file_and_what_lies_beside_keep_every_bit(weights: Path) -> None:
    tensors = load_file(weights)
    tensors["linear"].fill_(3)  # its pages are no longer those of the file
    own = torch.full((1024, 1024), 5.0)
    for tensor in (own, tensors["conv"]):
        MappedFiles().release_pages(tensor)
    assert torch.equal(own, torch.full_like(own, 5.0))
    assert torch.equal(tensors["linear"], torch.full_like(tensors["linear"], 3))


@linux_only
def test_convolutions_laid_out_anew_are_in_memory_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "channels_last_pays", lambda *_: True)
    monkeypatch.setattr(preparing, "packing_pays", lambda: False)
    layer = torch.nn.Conv2d(512, 512, 3, bias=False, dtype=torch.bfloat16)
    layer.weight.data = load_file(weights)["conv"]
    before = layer.weight.data
    prepare_part(layer, torch.device("cpu"), torch.bfloat16)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert resident_bytes(weights) < layer.weight.nbytes / 2
    assert torch.equal(layer.weight, before)
