"""The training loop: it learns, stops at its budget, and resumes from a checkpoint."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.loop import LoopSettings, train


def _run(checkpoint: Path, steps: int, seen: list[int]) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(1)
    inputs = torch.randn(64, 4)
    wanted = inputs.sum(1, keepdim=True)
    losses: list[float] = []

    def loss_of(network: nn.Module, step: int) -> Tensor:
        seen.append(step)
        loss = (network(inputs) - wanted).square().mean()
        losses.append(loss.item())
        return loss

    settings = LoopSettings(learning_rate=0.05, warmup_steps=1, steps=steps)
    return train(nn.Linear(4, 1), loss_of, checkpoint, settings), losses


def test_training_resumes_where_it_ended(tmp_path: Path) -> None:
    seen: list[int] = []
    _, first = _run(tmp_path / "run.pt", 20, seen)
    averaged, second = _run(tmp_path / "run.pt", 60, seen)
    assert seen == list(range(60))
    assert second[0] == pytest.approx(first[-1], rel=0.2)
    assert second[-1] < 0.2 * first[0]
    assert not any(parameter.requires_grad for parameter in averaged.parameters())


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    seen: list[int] = []
    _run(tmp_path / "run.pt", 5, seen)
    _run(tmp_path / "run.pt", 5, seen)
    assert seen == list(range(5))


def test_a_run_needs_a_budget(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="minutes or steps"):
        train(network, lambda net, step: torch.zeros(()), tmp_path / "x.pt", LoopSettings(learning_rate=1))
