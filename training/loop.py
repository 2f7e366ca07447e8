"""The training loop: AdamW, cosine decay over the budget, averaged weights (EMA), checkpoint and resume."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training import parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """The settings of one run, which ends after `minutes` of training or `steps`, whichever is given.

    Training before a resume counts towards both.
    """

    learning_rate: float
    weight_decay: float = 1e-2
    warmup_steps: int = 100
    averaging: float = 0.999
    minutes: float | None = None
    steps: int | None = None
    checkpoint_seconds: float = 180
    seed: int = 0


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_last(network: nn.Module) -> None:
    """Convert convolution weights to the channels-last format, which is faster on both CPU and GPU."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def trains_on_bfloat16_cpu() -> bool:
    """Tell whether training runs on a CPU with bfloat16 in hardware (a third to a half less time per step)."""
    capabilities = torch.cpu.get_capabilities()
    return device().type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast() -> torch.autocast:
    """Return autocast to bfloat16 where it pays off (a GPU, or a CPU with hardware support), else a disabled one."""
    return torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda" or trains_on_bfloat16_cpu())


def train(
    network: nn.Module,
    loss_of: Callable[[nn.Module, int], Tensor],
    checkpoint: Path,
    settings: LoopSettings,
    on_checkpoint: Callable[[nn.Module], None] = lambda averaged: None,
) -> nn.Module:
    """Train until the budget is used up; return the averaged network.

    `loss_of(network, step)` samples its own batch. Parameters without gradients are not changed. An existing checkpoint
    is resumed; one that contains only networks is the starting point of a new run. `on_checkpoint` receives the
    averaged network after each checkpoint.
    """
    parallel.join()
    averaged = _copy(network)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, settings.learning_rate, (0.9, 0.99), weight_decay=settings.weight_decay, fused=True
    )
    step, used = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device(), weights_only=True)
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        if "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
            step, used = state["step"], state["used_seconds"]
    torch.manual_seed(settings.seed + step + 1_000_000 * parallel.rank())

    def save() -> None:
        if parallel.rank() > 0:
            return
        partial = checkpoint.with_suffix(".partial")
        state = {
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "used_seconds": used,
        }
        torch.save(state, partial)
        partial.rename(checkpoint)
        on_checkpoint(averaged)

    bar = tqdm(
        desc=checkpoint.stem,
        initial=step,
        total=settings.steps,
        mininterval=5,
        unit="step",
        disable=parallel.rank() > 0,
    )
    smooth, saved_at, started = 0.0, used, time.monotonic()
    while (done := parallel.agreed(_done(step, used, settings))) < 1:
        rate = settings.learning_rate * min(1, (step + 1) / settings.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        loss = loss_of(network, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parallel.average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if parallel.rank() == 0:
            _average(averaged, network, min(settings.averaging, (1 + step) / (20 + step)))
        smooth = loss.item() if not smooth else 0.98 * smooth + 0.02 * loss.item()
        step, now = step + 1, time.monotonic()
        used, started = used + now - started, now
        bar.set_postfix(loss=f"{smooth:.4f}", done=f"{done:.0%}", refresh=False)
        bar.update()
        if used - saved_at > settings.checkpoint_seconds:
            save()
            saved_at, started = used, time.monotonic()
    save()
    bar.close()
    return averaged


def _done(step: int, used: float, settings: LoopSettings) -> float:
    """Return the fraction of the budget that is used up."""
    if settings.steps is not None:
        return step / settings.steps
    if settings.minutes is None:
        raise ValueError("a run needs minutes or steps")
    return used / 60 / settings.minutes


def _copy(network: nn.Module) -> nn.Module:
    return deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    for kept, current in zip(averaged.parameters(), network.parameters(), strict=True):
        kept.lerp_(current, 1 - decay)
    for kept, current in zip(averaged.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
