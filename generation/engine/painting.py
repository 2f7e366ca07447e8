"""Paint one picture by calling a pipeline of diffusers as it is."""

from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from generation.engine.base import BrokenOutput, Run
from generation.engine.loading import LoadedModel
from generation.executors.budgets import Phase
from generation.requests import Img2ImgRequest


def paint_alone(
    model: LoadedModel, request: Img2ImgRequest, run: Run, image: Image.Image, index: int
) -> tuple[Image.Image, int]:
    """Run the pipeline for picture ``index`` of a request and return it with its steps.

    Raises RunCancelled or BrokenOutput. A pipeline has one scheduler, so nobody else may use it meanwhile.
    """
    pipeline, family = model.pipeline, model.family
    denoiser = family.denoiser(pipeline)
    run.enter(Phase.ENCODE)

    def step_done(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        total = denoiser.num_timesteps
        run.step(index * total + step + 1, request.count * total)
        if step + 1 == total:
            run.enter(Phase.DECODE)
        return tensors

    def prior_step_done(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        run.enter(Phase.PRIOR)
        return tensors

    try:
        output = pipeline(
            image=image,
            # On the CPU, so that a seed means the same noise on every device.
            generator=torch.Generator("cpu").manual_seed(request.seed_of(index)),
            callback_on_step_end=step_done,
            **({"prior_callback_on_step_end": prior_step_done} if family.has_prior else {}),
            output_type="pt",
            **family.call_arguments(request, image.width, image.height),
        )
    finally:
        pipeline.maybe_free_model_hooks()  # a pipeline that was left by an exception did not get there
    return checked_image(output.images), denoiser.num_timesteps


def checked_image(images: torch.Tensor) -> Image.Image:
    """Turn decoded pixels (1, 3, height, width) in 0..1 into a picture; raise BrokenOutput for NaN or black."""
    if not torch.isfinite(images).all() or images.max() < 1 / 255:
        raise BrokenOutput
    return VaeImageProcessor.numpy_to_pil(VaeImageProcessor.pt_to_numpy(images))[0]
