"""The benchmarks' framework: what is listed exists, models have the published size, ratios are of pairs."""

import importlib
import sys

import pytest
import torch

from benchmarks import measuring
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.limit import operations
from benchmarks.measuring import Measured, alternate, report, speedups
from benchmarks.requests_made import request
from benchmarks.shapes import SHAPES, random_weights


def test_what_is_listed_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    for benchmark in BENCHMARKS:
        module = importlib.import_module(f"benchmarks.{benchmark.name}")
        assert callable(module.main)
        assert f"python -m benchmarks {benchmark.name}" in (module.__doc__ or "")
        assert benchmark.name in listed


@pytest.mark.parametrize("name", [benchmark.name for benchmark in BENCHMARKS])
def test_each_tells_its_options(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks {name} ")


# Source: the sizes of unet/diffusion_pytorch_model.safetensors, and of the papers.
@pytest.mark.parametrize(("name", "parameters"), [("sd15", 859_520_964), ("sdxl", 2_567_463_684)])
def test_models_have_the_published_size(name: str, parameters: int) -> None:
    assert sum(weights.numel() for weights in SHAPES[name].empty_denoiser().parameters()) == parameters


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card, and the whole would be run")
def test_what_is_about_a_card_says_so_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card"]) == 1
    assert "no NVIDIA card" in capsys.readouterr().err


def test_operations_are_counted_without_computing() -> None:
    assert operations(SHAPES["sd15"], 256) == pytest.approx(0.36e12, rel=0.01)


def test_random_weights_keep_what_goes_through_in_range() -> None:
    layers = random_weights(lambda: torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(8))), torch.float32)
    with torch.no_grad():
        result = layers(torch.randn(16, 64, generator=torch.Generator().manual_seed(0)))
    assert 0.1 < result.std().item() < 10


def test_a_picture_can_be_asked_for() -> None:
    assert request(64, "pndm", num_inference_steps=20).total_steps == 15


def test_work_is_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 0.0, []

    def work(name: str, seconds: float) -> None:
        nonlocal now
        told.append(name)
        now += seconds

    monkeypatch.setattr(measuring, "clock", lambda: now)
    works = {"usual": lambda: work("usual", 3.0), "ours": lambda: work("ours", 1.0)}
    seconds = alternate(works, repeats=2, warm_ups=1, prepare=lambda name: work(f"prepare {name}", 100.0))
    assert told == ["prepare usual", "usual", "prepare ours", "ours"] * 3
    assert speedups(seconds["usual"], seconds["ours"]) == Measured((3.0, 3.0))


def test_a_table_is_also_json(capsys: pytest.CaptureFixture[str]) -> None:
    report("name", ("what", "seconds"), [("a", Measured((1.0, 3.0, 2.0)))])
    printed = capsys.readouterr().out
    assert "| a | 2 (1–3) |" in printed
    assert '"rows": [{"what": "a", "seconds": "2 (1–3)"}]' in printed
