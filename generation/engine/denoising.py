"""One picture being denoised: all state of its own, so that pictures can share calls of the denoiser."""

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
    """A picture in progress: its own scheduler object, latents, timesteps, guidance scale and noise generator.

    A diffusers scheduler stores the position and history of one request, so each picture has its own; this way any
    sampler works as it is. Noise comes from the picture's own generator, in the order in which diffusers' img2img
    pipelines draw it, so the other pictures in a call do not change it.
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
        repaint_mask: torch.Tensor | None = None,
    ) -> None:
        """Add the initial noise to clean ``latents`` (1, channels, height, width).

        With a ``repaint_mask`` (1, 1, height, width; 1 where the picture is repainted), everything outside the mask is
        reset after each step to the clean latents with the noise of the next timestep.
        """
        self.order = order
        self.index = index
        self.conditioning = conditioning
        self.guidance_scale = guidance_scale
        self.failure: BaseException | None = None
        self.last_tick = -1  # of the last call that it took part in
        # Timesteps stay on the CPU: samplers read their values, which would synchronize with a GPU.
        self.schedule = schedule_of(scheduler, order.request.of_picture(index))
        self._scheduler, self.timesteps = self.schedule.scheduler, self.schedule.timesteps
        self._make_preview = make_preview
        self._step_arguments = _step_arguments(self._scheduler, generator)
        self._last_step: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self._position = 0
        noise = randn_tensor(latents.shape, generator=generator, device=latents.device, dtype=latents.dtype)
        self.latents: torch.Tensor = self._scheduler.add_noise(latents, noise, self.timesteps[:1])
        self._kept = None if repaint_mask is None else (repaint_mask, latents, noise)

    @property
    def rows(self) -> int:
        """The number of batch rows that it takes: two with classifier-free guidance, otherwise one."""
        return self.conditioning.rows

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self._position == len(self.timesteps)

    @property
    def key(self) -> Hashable:
        """What two pictures of one model must have in common to share a call."""
        adapters = self.order.request.adapters
        return tuple(self.latents.shape[1:]), self.latents.dtype, self.conditioning.key, adapters

    def model_input(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the denoiser's latents and, on the CPU, timesteps, one of each per row."""
        timestep = self.timesteps[self._position]
        latents = self._scheduler.scale_model_input(torch.cat([self.latents] * self.rows), timestep)
        return latents, timestep.to(torch.float32).expand(self.rows)

    def advance(self, prediction: torch.Tensor) -> None:
        """Take one step with the denoiser's prediction for this picture's rows."""
        if self.rows == 2:
            negative, positive = prediction.chunk(2)
            prediction = negative + self.guidance_scale * (positive - negative)
        timestep = self.timesteps[self._position]
        self._last_step = (self._scheduler.scale_model_input(self.latents, timestep), prediction, timestep)
        self.latents = self._scheduler.step(
            prediction, timestep, self.latents, **self._step_arguments, return_dict=False
        )[0]
        self._position += 1
        if self._kept is not None:
            self.latents = self._with_kept_parts(*self._kept)

    def _with_kept_parts(self, mask: torch.Tensor, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the latents with what is not repainted as it would be after this step.

        Source: ``StableDiffusionInpaintPipeline.__call__`` of diffusers 0.42, for denoisers of four channels.
        """
        if not self.is_done:
            clean = self._scheduler.add_noise(clean, noise, self.timesteps[self._position].reshape(1))
        return (1 - mask) * clean + mask * self.latents

    def preview(self) -> Preview:
        """Return a preview of the picture so far; only for one that was given ``make_preview``."""
        assert self._make_preview is not None
        return self._make_preview(self._clean_estimate())

    def _clean_estimate(self) -> torch.Tensor:
        """Estimate the clean latents (x0) from the last prediction, or return the current latents where it cannot.

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
