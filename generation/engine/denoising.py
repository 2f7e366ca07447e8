"""One picture while it is denoised: everything that is its own, so that pictures can share a call of the denoiser."""

import inspect
from collections.abc import Callable, Hashable
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from generation.engine.latents.previews import Preview
from generation.engine.order import Order
from generation.engine.schedules import schedule_of
from generation.engine.texts.conditioning import Conditioning


class Denoising:
    """A picture under way: its own scheduler object, latents, timesteps, guidance, and generator of noise.

    A scheduler of diffusers keeps one request's place and history, so each picture has one; that takes any sampler as
    it is. Noise comes from the picture's own generator in the order in which diffusers' img2img pipelines draw it,
    so neighbours change nothing.
    Source: ``StableDiffusionImg2ImgPipeline.__call__`` and ``prepare_latents`` of diffusers 0.42.
    """

    def __init__(
        self,
        *,
        order: Order,
        index: int,
        scheduler: Any,
        latents: torch.Tensor,
        conditioning: Conditioning,
        guidance_scale: float,
        generator: torch.Generator,
        make_preview: Callable[[torch.Tensor], Preview] | None,
    ) -> None:
        """Add the first noise to clean ``latents`` (1, channels, height, width)."""
        self.order = order
        self.index = index
        self.conditioning = conditioning
        self.guidance_scale = guidance_scale
        self.failure: BaseException | None = None
        self.last_tick = -1  # when it was last part of a call
        # On the CPU: a sampler asks for the number, and a card would have to be waited for.
        self.schedule = schedule_of(scheduler, order.request.of_picture(index))
        self._scheduler, self.timesteps = self.schedule.scheduler, self.schedule.timesteps
        self._make_preview = make_preview
        self._step_arguments = _step_arguments(self._scheduler, generator)
        self._last_step: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self._position = 0
        noise = randn_tensor(latents.shape, generator=generator, device=latents.device, dtype=latents.dtype)
        self.latents: torch.Tensor = self._scheduler.add_noise(latents, noise, self.timesteps[:1])

    @property
    def rows(self) -> int:
        """How many rows of a call it takes."""
        return self.conditioning.rows

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self._position == len(self.timesteps)

    @property
    def key(self) -> Hashable:
        """What must be equal for two pictures of one model to share a call."""
        adapters = self.order.request.adapters
        return tuple(self.latents.shape[1:]), self.latents.dtype, self.conditioning.key, adapters

    def model_input(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents and, on the CPU, the timesteps for the denoiser, one of each per row."""
        timestep = self.timesteps[self._position]
        latents = self._scheduler.scale_model_input(torch.cat([self.latents] * self.rows), timestep)
        return latents, timestep.to(torch.float32).expand(self.rows)

    def advance(self, prediction: torch.Tensor) -> None:
        """Take one step with what the denoiser said about this picture's rows."""
        if self.rows == 2:
            negative, positive = prediction.chunk(2)
            prediction = negative + self.guidance_scale * (positive - negative)
        timestep = self.timesteps[self._position]
        self._last_step = (self._scheduler.scale_model_input(self.latents, timestep), prediction, timestep)
        self.latents = self._scheduler.step(
            prediction, timestep, self.latents, **self._step_arguments, return_dict=False
        )[0]
        self._position += 1

    def preview(self) -> Preview:
        """Return how the picture looks so far; for one that was told how to make previews."""
        assert self._make_preview is not None
        return self._make_preview(self._clean_estimate())

    def _clean_estimate(self) -> torch.Tensor:
        """Return what the latents would be if the last prediction were all true, up to the noise's share.

        Source: equation 12 of https://arxiv.org/abs/2010.02502, and appendix D of https://arxiv.org/abs/2202.00512.
        """
        alphas = getattr(self._scheduler, "alphas_cumprod", None)
        if self._last_step is None or alphas is None:
            return self.latents
        latents, prediction, timestep = self._last_step
        alpha = alphas[round(float(timestep))].item()
        match self._scheduler.config.prediction_type:
            case "epsilon":
                return (latents - (1 - alpha) ** 0.5 * prediction) / alpha**0.5
            case "v_prediction":
                return alpha**0.5 * latents - (1 - alpha) ** 0.5 * prediction
            case _:
                return prediction


def _step_arguments(scheduler: Any, generator: torch.Generator) -> dict[str, Any]:
    known = inspect.signature(scheduler.step).parameters
    wanted = {"generator": generator, "eta": 0.0}  # what diffusers' pipelines pass
    return {name: value for name, value in wanted.items() if name in known}
