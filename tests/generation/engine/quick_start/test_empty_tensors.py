"""Meta tensors are what torch itself would make, and all others are left to torch."""

from collections.abc import Callable

import pytest
import torch

from generation.engine.quick_start.empty_tensors import QuickEmptyTensors

CALLS: dict[str, Callable[[torch.device], torch.Tensor]] = {
    "a range": lambda device: torch.arange(7, device=device),
    "a range of fractions": lambda device: torch.arange(1, 3, 0.5, dtype=torch.float16, device=device),
    "random numbers": lambda device: torch.nn.init.normal_(torch.empty(2, 3, device=device), std=0.1),
    "alike": lambda device: torch.empty_like(torch.empty(2, 3, dtype=torch.int64, device=device)),
    "alike elsewhere": lambda device: torch.empty_like(torch.empty(2, 3, device=device), device="cpu"),
    "alike in another format": lambda device: torch.empty_like(torch.empty(2, 3, device=device), dtype=torch.bfloat16),
    "alike in another layout": lambda device: torch.empty_like(torch.empty(2, 3, device=device).T),
    "an embedding": lambda device: torch.nn.Embedding(4, 3, device=device).weight,
}


def described(tensor: torch.Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.dtype, tensor.device, tensor.stride(), tensor.requires_grad


@pytest.mark.parametrize("place", ["meta", "cpu"])
@pytest.mark.parametrize("name", list(CALLS))
def test_they_are_what_they_are_to_torch(name: str, place: str) -> None:
    call, device = CALLS[name], torch.device(place)
    usual = call(device)
    with QuickEmptyTensors():
        assert described(call(device)) == described(usual)
    with QuickEmptyTensors(), torch.device(place):  # as transformers does
        assert described(call(device)) == described(usual)


def test_what_has_memory_is_filled() -> None:
    with QuickEmptyTensors():
        assert torch.arange(3).tolist() == [0, 1, 2]
        assert torch.nn.init.normal_(torch.zeros(100)).count_nonzero() > 90
