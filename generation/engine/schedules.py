"""Which timesteps and noise levels a request is denoised along: diffusers' scheduler objects, prepared.

``index`` is diffusers' meaning of strength: the share of the schedule's steps that are run. How much noise that is
depends on the sampler and on the number of steps, so the same strength edits more or less with each of them. ``noise``
means the same noise everywhere: that of the training timestep at this share of the training schedule.
"""

import importlib
from dataclasses import dataclass
from fractions import Fraction
from functools import wraps
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from generation.requests import Img2ImgRequest, StrengthSchedule, denoising_steps
from generation.samplers import OWN_SAMPLER, SAMPLERS

_KARRAS_RHO = 7.0  # https://arxiv.org/abs/2206.00364, table 1, and diffusers' own


class AnchoredDDIMScheduler(DDIMScheduler):
    """DDIM along timesteps at any distance from each other, once ``anchor`` was called; until then diffusers' own.

    diffusers' own takes strides of one length, which do not lead from any timestep to the end in any number of steps.
    """

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Take diffusers' own timesteps."""
        self._strides: dict[int, int] = {}
        super().set_timesteps(num_inference_steps, device)

    def anchor(self, timesteps: np.ndarray, device: Any = None) -> None:
        """Take these timesteps, which fall, and from the last one go to the picture."""
        AnchoredDDIMScheduler.set_timesteps(self, len(timesteps), device)
        self.timesteps = torch.from_numpy(timesteps.astype(np.int64)).to(device)
        following = [*timesteps[1:].tolist(), -1]
        self._strides = {here: here - there for here, there in zip(timesteps.tolist(), following, strict=True)}

    @wraps(DDIMScheduler.step)  # pipelines look at its signature
    def step(  # pyright: ignore[reportIncompatibleMethodOverride] - it is the wrapped one's
        self, model_output: torch.Tensor, timestep: Any, *arguments: Any, **keywords: Any
    ) -> Any:
        """Take one step to the next of the timesteps."""
        if self._strides:
            # The step reads its stride as num_train_timesteps // num_inference_steps; with a fraction that is exact.
            stride = self._strides[int(timestep)]
            self.num_inference_steps = Fraction(self.config.num_train_timesteps, stride)  # pyright: ignore
        return super().step(model_output, timestep, *arguments, **keywords)


_ANCHORED = (
    AnchoredDDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A scheduler object that is one request's own and stands at its start, and the timesteps to run, one call each.

    ``scheduler_name`` is the name of diffusers' class, ``strength_schedule`` what the strength means to it.
    """

    scheduler: Any
    timesteps: torch.Tensor
    scheduler_name: str
    strength_schedule: StrengthSchedule


def schedule_of(scheduler: Any, request: Img2ImgRequest, device: torch.device | str | None = None) -> Schedule:
    """Prepare a schedule for the request of one picture; ``scheduler`` is the model's and stays as it is."""
    fresh = fresh_scheduler(scheduler, request.sampler)
    timesteps = prepare_schedule(
        fresh,
        num_inference_steps=request.num_inference_steps,
        strength=request.strength,
        strength_schedule=request.strength_schedule,
        device=device,
    )
    name = SAMPLERS[request.sampler].scheduler or type(scheduler).__name__
    in_effect = schedule_in_effect(fresh, request.strength_schedule, request.num_inference_steps)
    return Schedule(fresh, timesteps, name, in_effect)


def fresh_scheduler(scheduler: Any, sampler: str = OWN_SAMPLER) -> Any:
    """Return the sampler's scheduler for the model of this one, with no request's state, to be prepared for one."""
    wanted = SAMPLERS[sampler]
    kind = type(scheduler)
    if wanted.scheduler is not None:
        kind = getattr(importlib.import_module("diffusers.schedulers"), wanted.scheduler)
    kind = AnchoredDDIMScheduler if kind is DDIMScheduler else kind
    return kind.from_config(scheduler.config, **wanted.config)


def schedule_in_effect(scheduler: Any, wanted: StrengthSchedule, num_inference_steps: int) -> StrengthSchedule:
    """Return what strength means where not both are possible, else what is wanted.

    It is ``index`` for schedulers that cannot start at any noise (PNDM, flow matching), and ``noise`` for LCM with more
    steps than it was distilled at (50, mostly), which diffusers refuses.
    """
    if not isinstance(scheduler, _ANCHORED) or getattr(scheduler.config, "use_flow_sigmas", False):
        return "index"
    if isinstance(scheduler, LCMScheduler) and num_inference_steps > scheduler.config["original_inference_steps"]:
        return "noise"
    return wanted


def prepare_schedule(
    scheduler: Any,
    *,
    num_inference_steps: int,
    strength: float,
    strength_schedule: StrengthSchedule,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Prepare a scheduler of ``fresh_scheduler`` for one request and return the timesteps to run, one call each.

    Both schedules run ``denoising_steps(strength, num_inference_steps)`` of them and never none (PNDM adds one of its
    own, as in diffusers). Afterwards ``add_noise`` at the first timestep makes the start, and ``scale_model_input`` and
    ``step`` follow the timesteps in order. ``index`` is ``StableDiffusionImg2ImgPipeline.get_timesteps`` of diffusers.
    """
    count = max(1, denoising_steps(strength, num_inference_steps))
    kind = type(scheduler)  # by way of the class: a pipeline may hold an object whose own set_timesteps leads here
    if schedule_in_effect(scheduler, strength_schedule, num_inference_steps) == "index":
        kind.set_timesteps(scheduler, num_inference_steps, device=device)
        begin = (num_inference_steps - count) * scheduler.order
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(begin)
        return scheduler.timesteps[begin:]
    start = _first_timestep(scheduler, strength)
    if isinstance(scheduler, AnchoredDDIMScheduler):
        scheduler.anchor(_spaced(scheduler, start, count), device)
    elif isinstance(scheduler, LCMScheduler):
        _write_lcm(scheduler, start, count, device)
    elif isinstance(scheduler, EulerDiscreteScheduler):
        kind.set_timesteps(scheduler, sigmas=_sigmas(scheduler, start, count), device=device)
    else:
        kind.set_timesteps(scheduler, count, device=device)
        _write_sigmas(scheduler, _sigmas(scheduler, start, count), device)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler.timesteps


def training_sigmas(scheduler: Any) -> np.ndarray:
    """Return the noise of every training timestep as sigma, rising."""
    alphas = scheduler.alphas_cumprod.double().numpy()
    return ((1 - alphas) / alphas) ** 0.5


def _first_timestep(scheduler: Any, strength: float) -> int:
    """Return the training timestep at this share of the training schedule; strength 1 is its last one."""
    return max(0, round(strength * scheduler.config.num_train_timesteps) - 1)


def _spaced(scheduler: Any, start: int, count: int) -> np.ndarray:
    """Return ``count`` falling training timesteps from ``start``, spaced as the scheduler's configuration says."""
    spacing = scheduler.config.get("timestep_spacing", "trailing")
    if spacing == "trailing" or count == 1:
        # Distilled models know these timesteps: 999, 749, 499, 249 for four steps from the end.
        return np.round((start + 1) * np.arange(count, 0, -1) / count).astype(np.int64) - 1
    last = min(start, scheduler.config.get("steps_offset", 0) if spacing == "leading" else 0)
    return np.round(np.linspace(start, last, count)).astype(np.int64)


def _sigmas(scheduler: Any, start: int, count: int) -> np.ndarray:
    """Return ``count`` falling noise levels from that of timestep ``start`` and the one to end at."""
    training = training_sigmas(scheduler)
    if scheduler.config.get("use_karras_sigmas"):
        low, high = training[0] ** (1 / _KARRAS_RHO), training[start] ** (1 / _KARRAS_RHO)
        sigmas = (high + np.linspace(0, 1, count) * (low - high)) ** _KARRAS_RHO
    else:
        sigmas = training[_spaced(scheduler, start, count)]
    last = training[0] if scheduler.config.get("final_sigmas_type") == "sigma_min" else 0.0
    return np.append(sigmas, last).astype(np.float32)


def _write_sigmas(scheduler: Any, sigmas: np.ndarray, device: Any) -> None:
    """Put noise levels into a scheduler that takes none: each with the training timestep nearest in log sigma."""
    training = np.log(training_sigmas(scheduler))
    timesteps = np.round(np.interp(np.log(sigmas[:-1]), training, np.arange(len(training))))
    scheduler.sigmas = torch.from_numpy(sigmas)  # stays on the CPU, as diffusers has it
    scheduler.timesteps = torch.from_numpy(timesteps).to(device, scheduler.timesteps.dtype)


def _write_lcm(scheduler: LCMScheduler, start: int, count: int, device: Any) -> None:
    """Put timesteps into LCM's scheduler: of those that it was distilled at, where there are enough.

    Source: ``LCMScheduler.set_timesteps``, which takes equally distant ones of them from the start on.
    """
    stride = scheduler.config["num_train_timesteps"] // scheduler.config["original_inference_steps"]
    known = np.arange(1, max(1, round((start + 1) / stride)) + 1)[::-1] * stride - 1
    if count <= len(known):
        timesteps = known[np.floor(np.linspace(0, len(known), count, endpoint=False)).astype(np.int64)]
    else:
        timesteps = _spaced(scheduler, start, count)
    LCMScheduler.set_timesteps(scheduler, 1, device=device)  # which also forgets the last request's state
    scheduler.timesteps = torch.from_numpy(timesteps.astype(np.int64)).to(device)
    scheduler.num_inference_steps = count
