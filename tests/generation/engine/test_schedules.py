"""Strength as a fraction of steps and as an amount of noise, on diffusers' own schedulers."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from generation.engine.schedules import fresh_scheduler, prepare_schedule, schedule_in_effect, training_sigmas
from generation.requests import STRENGTH_SCHEDULES, StrengthSchedule, denoising_steps

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
COSINE = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
SAMPLERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"clip_sample": False, "timestep_spacing": "leading"}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler-karras": (EulerDiscreteScheduler, {"use_karras_sigmas": True}),
    "euler-trailing": (EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
    "euler-a": (EulerAncestralDiscreteScheduler, {}),
    "dpm++2m": (DPMSolverMultistepScheduler, {"timestep_spacing": "leading"}),
    "dpm++2m-karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "unipc": (UniPCMultistepScheduler, {}),
    "unipc-karras": (UniPCMultistepScheduler, {"use_karras_sigmas": True}),
    "lcm": (LCMScheduler, {"clip_sample": False}),
}
UNANCHORED: dict[str, tuple[Any, dict[str, Any]]] = {
    "pndm": (PNDMScheduler, {"skip_prk_steps": True}),
    "heun": (HeunDiscreteScheduler, {}),
}


def stock(name: str, **config: Any) -> Any:
    kind, own = {**SAMPLERS, **UNANCHORED}[name]
    taken = kind.__init__.__wrapped__.__code__.co_varnames
    return kind(**{key: value for key, value in {**STABLE_DIFFUSION, **own, **config}.items() if key in taken})


def first_sigma(scheduler: Any, timesteps: torch.Tensor) -> float:
    """Measure how much noise the initial latents really get, added as in a pipeline: the ratio of noise to picture."""
    one, none = torch.ones(1, 1), torch.zeros(1, 1)
    picture = scheduler.add_noise(one, none, timesteps[:1])
    return float(scheduler.add_noise(none, one, timesteps[:1]) / picture)


@pytest.mark.parametrize("num_inference_steps", [10, 20, 33, 50])
@pytest.mark.parametrize("strength", [0.3, 0.5, 0.75, 0.9])
def test_strength_means_the_same_noise_with_every_sampler_and_number_of_steps(
    strength: float, num_inference_steps: int
) -> None:
    found = {}
    for name in SAMPLERS:
        scheduler = fresh_scheduler(stock(name))
        timesteps = prepare_schedule(
            scheduler, num_inference_steps=num_inference_steps, strength=strength, strength_schedule="noise"
        )
        found[name] = first_sigma(scheduler, timesteps)
        assert len(timesteps) == denoising_steps(strength, num_inference_steps)
    training = training_sigmas(stock("euler"))
    here = round(1000 * strength) - 1
    for name, sigma in found.items():
        if name == "lcm":  # supports only every twentieth training timestep
            assert training[here - 11] < sigma < training[here + 11]
        elif name in ("ddim", "euler-a"):
            assert training[here - 1] <= sigma <= training[here + 1]
        else:
            assert sigma == pytest.approx(training[here], rel=0.01)


def test_by_index_the_noise_depends_on_the_sampler() -> None:
    """This is why the other schedule exists."""
    found = {}
    for name in ("ddim", "dpm++2m-karras"):
        scheduler = fresh_scheduler(stock(name))
        timesteps = prepare_schedule(scheduler, num_inference_steps=10, strength=0.3, strength_schedule="index")
        found[name] = first_sigma(scheduler, timesteps)
    assert found["dpm++2m-karras"] < found["ddim"] / 2


@pytest.mark.parametrize("name", [*SAMPLERS, *UNANCHORED])
@pytest.mark.parametrize(("num_inference_steps", "strength"), [(10, 0.3), (37, 0.75), (50, 1.0), (4, 0.5)])
def test_by_index_it_is_the_schedule_of_diffusers(name: str, num_inference_steps: int, strength: float) -> None:
    theirs = stock(name)
    theirs.set_timesteps(num_inference_steps, device="cpu")
    holder: Any = StableDiffusionImg2ImgPipeline.__new__(StableDiffusionImg2ImgPipeline)
    object.__setattr__(holder, "scheduler", theirs)
    expected, _ = holder.get_timesteps(num_inference_steps, strength, "cpu")
    ours = fresh_scheduler(stock(name))
    timesteps = prepare_schedule(
        ours, num_inference_steps=num_inference_steps, strength=strength, strength_schedule="index", device="cpu"
    )
    assert torch.equal(timesteps, expected)
    assert first_sigma(ours, timesteps) == first_sigma(theirs, expected)


@pytest.mark.parametrize("strength_schedule", STRENGTH_SCHEDULES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_there_is_always_a_step(name: str, strength_schedule: StrengthSchedule) -> None:
    scheduler = fresh_scheduler(stock(name))
    timesteps = prepare_schedule(scheduler, num_inference_steps=1, strength=0.01, strength_schedule=strength_schedule)
    assert len(timesteps) == 1


def denoised_by_one_who_knows(scheduler: Any, timesteps: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """Follow the schedule with a denoiser that knows the picture: the end must be the picture, with any schedule."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    x = scheduler.add_noise(picture, noise, timesteps[:1])
    alphas = torch.from_numpy(1 / (1 + training_sigmas(scheduler) ** 2))
    for i, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(x, timestep)
        if hasattr(scheduler, "sigmas"):
            alpha = 1 / (1 + scheduler.sigmas[scheduler.step_index if scheduler.step_index is not None else i] ** 2)
        else:
            alpha = alphas[int(timestep)].float()
        said = (scaled - alpha**0.5 * picture) / (1 - alpha) ** 0.5
        if scheduler.config.prediction_type == "v_prediction":
            said = alpha**0.5 * said - (1 - alpha) ** 0.5 * picture
        x = scheduler.step(said, timestep, x, return_dict=False)[0]
    return x


@pytest.mark.parametrize("config", [STABLE_DIFFUSION, COSINE], ids=["epsilon", "v"])
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "lcm"])
@pytest.mark.parametrize(("num_inference_steps", "strength"), [(50, 0.75), (10, 0.3), (7, 0.9), (4, 0.5), (1, 0.2)])
def test_every_schedule_leads_to_a_picture_without_noise(
    name: str, config: dict[str, Any], num_inference_steps: int, strength: float
) -> None:
    picture = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    scheduler = fresh_scheduler(stock(name, **config))
    for _ in range(2):  # a second request on the same object starts afresh
        timesteps = prepare_schedule(
            scheduler, num_inference_steps=num_inference_steps, strength=strength, strength_schedule="noise"
        )
        end = denoised_by_one_who_knows(scheduler, timesteps, picture)
        assert torch.allclose(end, picture, atol=2e-3), (end - picture).abs().max()


@pytest.mark.parametrize("name", ["dpm++2m-karras", "unipc-karras"])
@pytest.mark.parametrize(("num_inference_steps", "strength"), [(20, 0.75), (50, 0.3), (10, 0.9)])
def test_what_is_written_is_what_diffusers_makes_between_the_same_ends(
    name: str, num_inference_steps: int, strength: float
) -> None:
    ours = fresh_scheduler(stock(name))
    timesteps = prepare_schedule(
        ours, num_inference_steps=num_inference_steps, strength=strength, strength_schedule="noise"
    )
    training = training_sigmas(ours)
    theirs = stock(name)
    theirs.register_to_config(sigma_max=training[round(1000 * strength) - 1], sigma_min=training[0])
    theirs.set_timesteps(denoising_steps(strength, num_inference_steps))
    assert torch.allclose(ours.sigmas, theirs.sigmas, rtol=1e-5)
    assert torch.equal(timesteps, theirs.timesteps)


@pytest.mark.parametrize("name", ["dpm++2m", "unipc", "euler-trailing", "euler-a"])
@pytest.mark.parametrize(("count", "start"), [(10, 750), (6, 300), (12, 900)])
def test_evenly_spaced_it_is_the_whole_schedule_of_a_shorter_training(name: str, count: int, start: int) -> None:
    """A model trained with only the first timesteps has, at its end, the noise that this one has at that timestep."""
    config = {"timestep_spacing": "trailing"}
    ours = fresh_scheduler(stock(name, **config))
    timesteps = prepare_schedule(
        ours, num_inference_steps=round(count / start * 1000), strength=start / 1000, strength_schedule="noise"
    )
    shorter = {"trained_betas": ours.betas[:start].numpy(), "num_train_timesteps": start}
    theirs = stock(name, **config, **shorter)
    theirs.set_timesteps(len(timesteps))
    assert len(timesteps) == pytest.approx(count, abs=1)
    assert torch.allclose(ours.sigmas, theirs.sigmas, rtol=1e-5)
    assert torch.allclose(timesteps.float(), theirs.timesteps.float(), atol=0.01)


@pytest.mark.parametrize(
    ("strength", "expected"), [(1.0, [999, 749, 499, 249]), (0.75, [749, 499, 249]), (0.5, [499, 249])]
)
@pytest.mark.parametrize("name", ["euler-trailing", "lcm"])
def test_a_distilled_model_gets_timesteps_that_it_knows(name: str, strength: float, expected: list[int]) -> None:
    scheduler = fresh_scheduler(stock(name))
    timesteps = prepare_schedule(scheduler, num_inference_steps=4, strength=strength, strength_schedule="noise")
    distance = 20 if name == "lcm" else 0.01  # LCM was distilled at 19, 39, ... 999
    assert np.abs(timesteps.numpy() - expected).max() <= distance
    if name == "lcm":
        assert all((timestep + 1) % 20 == 0 for timestep in timesteps.tolist())


@pytest.mark.parametrize("name", list(UNANCHORED))
def test_a_sampler_that_cannot_start_anywhere_says_so(name: str) -> None:
    scheduler = fresh_scheduler(stock(name))
    assert schedule_in_effect(scheduler, "noise", 10) == "index"
    by_noise = prepare_schedule(scheduler, num_inference_steps=10, strength=0.5, strength_schedule="noise")
    by_index = prepare_schedule(scheduler, num_inference_steps=10, strength=0.5, strength_schedule="index")
    assert torch.equal(by_noise, by_index)


def test_flow_matching_has_its_own_meaning_of_noise() -> None:
    assert schedule_in_effect(FlowMatchEulerDiscreteScheduler(), "noise", 10) == "index"
    assert schedule_in_effect(fresh_scheduler(stock("euler")), "noise", 60) == "noise"
    assert schedule_in_effect(fresh_scheduler(stock("euler")), "index", 60) == "index"
