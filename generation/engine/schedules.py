"""The timesteps and noise levels that a request is denoised along: diffusers' schedulers, prepared.

``index`` is diffusers' meaning of strength: the fraction of the schedule's steps that are run. How much noise that is
depends on the sampler and on the number of steps, so the same strength edits more or less with each of them. ``noise``
means the same noise with all schedulers that can start at any noise level: that of the training timestep at this
fraction of the training schedule. The others (``schedule_in_effect``) always use ``index``.
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
    """DDIM along arbitrarily spaced timesteps once ``anchor`` has been called; until then the same as diffusers' own.

    diffusers' own uses a constant stride, which cannot lead from every timestep to the end in every number of steps.
    """

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Use diffusers' own timesteps."""
        self._strides: dict[int, int] = {}
        super().set_timesteps(num_inference_steps, device)

    def anchor(self, timesteps: np.ndarray, device: Any = None) -> None:
        """Use these descending timesteps; the step after the last one yields the clean picture."""
        AnchoredDDIMScheduler.set_timesteps(self, len(timesteps), device)
        self.timesteps = torch.from_numpy(timesteps.astype(np.int64)).to(device)
        following = [*timesteps[1:].tolist(), -1]
        self._strides = {here: here - there for here, there in zip(timesteps.tolist(), following, strict=True)}

    @wraps(DDIMScheduler.step)  # pipelines inspect its signature
    def step(  # pyright: ignore[reportIncompatibleMethodOverride] - it is the wrapped one's
        self, model_output: torch.Tensor, timestep: Any, *arguments: Any, **keywords: Any
    ) -> Any:
        """Step to the next timestep."""
        if self._strides:
            # step() takes num_train_timesteps // num_inference_steps as its stride; a fraction makes that exact.
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
    """A scheduler object of one request, set to its start, and the timesteps to run, one denoiser call each.

    ``scheduler_name`` is the name of diffusers' class, ``strength_schedule`` the meaning of strength in effect.
    """

    scheduler: Any
    timesteps: torch.Tensor
    scheduler_name: str
    strength_schedule: StrengthSchedule


def schedule_of(scheduler: Any, request: Img2ImgRequest, device: torch.device | str | None = None) -> Schedule:
    """Prepare the schedule of one picture's request; ``scheduler`` is the model's own and is not changed."""
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
    """Return a new scheduler of the sampler's class, with the configuration of ``scheduler`` but no request's state."""
    wanted = SAMPLERS[sampler]
    kind = type(scheduler)
    if wanted.scheduler is not None:
        kind = getattr(importlib.import_module("diffusers.schedulers"), wanted.scheduler)
    kind = AnchoredDDIMScheduler if kind is DDIMScheduler else kind
    return kind.from_config(scheduler.config, **wanted.config)


def schedule_in_effect(scheduler: Any, wanted: StrengthSchedule, num_inference_steps: int) -> StrengthSchedule:
    """Return the meaning of strength in effect: the one wanted, unless the scheduler supports only the other.

    It is ``index`` for schedulers that cannot start at an arbitrary noise level (PNDM, flow matching), and ``noise``
    for LCM with more steps than it was distilled at (usually 50), which diffusers refuses.
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
    """Prepare a scheduler from ``fresh_scheduler`` for one request; return the timesteps to run, one call each.

    Either way ``denoising_steps(strength, num_inference_steps)`` steps are run, and at least one (PNDM adds one of its
    own, as in diffusers). Afterwards ``add_noise`` at the first timestep makes the initial latents, and
    ``scale_model_input`` and ``step`` follow the timesteps in order. ``index`` is
    ``StableDiffusionImg2ImgPipeline.get_timesteps`` of diffusers.
    """
    count = max(1, denoising_steps(strength, num_inference_steps))
    kind = type(scheduler)  # methods are called through the class: an instance's set_timesteps may be replaced
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
    """Return the sigma of every training timestep, ascending."""
    alphas = scheduler.alphas_cumprod.double().numpy()
    return ((1 - alphas) / alphas) ** 0.5


def _first_timestep(scheduler: Any, strength: float) -> int:
    """Return the training timestep at this fraction of the training schedule; strength 1 is the last one."""
    return max(0, round(strength * scheduler.config.num_train_timesteps) - 1)


def _spaced(scheduler: Any, start: int, count: int) -> np.ndarray:
    """Return ``count`` descending training timesteps from ``start``, spaced as the scheduler's configuration says."""
    spacing = scheduler.config.get("timestep_spacing", "trailing")
    if spacing == "trailing" or count == 1:
        # Distilled models were trained on these timesteps: 999, 749, 499, 249 for four steps at strength 1.
        return np.round((start + 1) * np.arange(count, 0, -1) / count).astype(np.int64) - 1
    last = min(start, scheduler.config.get("steps_offset", 0) if spacing == "leading" else 0)
    return np.round(np.linspace(start, last, count)).astype(np.int64)


def _sigmas(scheduler: Any, start: int, count: int) -> np.ndarray:
    """Return ``count`` descending sigmas, beginning at that of timestep ``start``, followed by the final sigma."""
    training = training_sigmas(scheduler)
    if scheduler.config.get("use_karras_sigmas"):
        low, high = training[0] ** (1 / _KARRAS_RHO), training[start] ** (1 / _KARRAS_RHO)
        sigmas = (high + np.linspace(0, 1, count) * (low - high)) ** _KARRAS_RHO
    else:
        sigmas = training[_spaced(scheduler, start, count)]
    last = training[0] if scheduler.config.get("final_sigmas_type") == "sigma_min" else 0.0
    return np.append(sigmas, last).astype(np.float32)


def _write_sigmas(scheduler: Any, sigmas: np.ndarray, device: Any) -> None:
    """Write sigmas into a scheduler that accepts none; each gets the training timestep nearest in log sigma."""
    training = np.log(training_sigmas(scheduler))
    timesteps = np.round(np.interp(np.log(sigmas[:-1]), training, np.arange(len(training))))
    scheduler.sigmas = torch.from_numpy(sigmas)  # stays on the CPU, as in diffusers
    scheduler.timesteps = torch.from_numpy(timesteps).to(device, scheduler.timesteps.dtype)


def _write_lcm(scheduler: LCMScheduler, start: int, count: int, device: Any) -> None:
    """Write timesteps into an LCM scheduler, taken from those that it was distilled at if there are enough.

    Source: ``LCMScheduler.set_timesteps``, which takes evenly spaced ones of them, beginning with the first.
    """
    stride = scheduler.config["num_train_timesteps"] // scheduler.config["original_inference_steps"]
    known = np.arange(1, max(1, round((start + 1) / stride)) + 1)[::-1] * stride - 1
    if count <= len(known):
        timesteps = known[np.floor(np.linspace(0, len(known), count, endpoint=False)).astype(np.int64)]
    else:
        timesteps = _spaced(scheduler, start, count)
    LCMScheduler.set_timesteps(scheduler, 1, device=device)  # also resets the scheduler's state
    scheduler.timesteps = torch.from_numpy(timesteps.astype(np.int64)).to(device)
    scheduler.num_inference_steps = count
