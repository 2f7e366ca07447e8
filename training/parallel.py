"""Data-parallel training with several processes that average their gradients.

They are started by `python -m torch.distributed.run`. On a busy CPU they beat threads, which wait for each other in
every layer; with several GPUs it is the usual way.
"""

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def join() -> None:
    """Join the process group, if there is one."""
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def average_gradients(parameters: Sequence[Tensor]) -> None:
    if not dist.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def agreed(value: float) -> float:
    """Return the first process's value in all processes."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)
