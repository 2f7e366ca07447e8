"""The generation of one picture by calling a diffusers pipeline as it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from generation.engine.base import BrokenOutput, Run
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.order import Painted
from generation.engine.schedules import schedule_of
from generation.phases import Phase
from generation.requests import Img2ImgRequest, StrengthSchedule


def paint_alone(
    model: LoadedModel,
    request: Img2ImgRequest,
    run: Run,
    image: Image.Image,
    index: int,
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> Painted:
    """Run the pipeline for picture ``index`` of a request; ``overrides`` replace arguments derived from it.

    Raises RunCancelled or BrokenOutput. A pipeline has only one scheduler, so nothing else may use it meanwhile.
    """
    pipeline, family = model.pipeline, model.family
    own = request.of_picture(index)
    denoiser = family.denoiser(pipeline)
    run.enter(Phase.ENCODE)

    def step_done(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        total = denoiser.num_timesteps
        expected = family.steps(request)
        steps = [each + total - expected[index] for each in expected]  # steps that a scheduler adds, it adds to each
        run.step(sum(steps[:index]) + step + 1, sum(steps))
        if step + 1 == total:
            run.enter(Phase.DECODE)
        return tensors

    def prior_step_done(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        run.enter(Phase.PRIOR)
        return tensors

    with _scheduled(model, own) as (scheduler, strength_schedule, changes):
        try:
            output = pipeline(
                image=image,
                # On the CPU, so that a seed means the same noise on every device.
                generator=torch.Generator("cpu").manual_seed(own.seed),
                callback_on_step_end=step_done,
                **({"prior_callback_on_step_end": prior_step_done} if family.has_prior else {}),
                output_type="pt",
                **{**family.call_arguments(own, image.width, image.height), **overrides, **changes},
            )
        finally:
            pipeline.maybe_free_model_hooks()  # the pipeline itself skips this when an exception ends its call
    return Painted(checked_image(output.images), denoiser.num_timesteps, scheduler, strength_schedule, model.revision)


@contextmanager
def _scheduled(model: LoadedModel, request: Img2ImgRequest) -> Iterator[tuple[str, StrengthSchedule, dict[str, Any]]]:
    """Lend the pipeline the picture's own scheduler; yield its name, its meaning of strength, and changed arguments."""
    pipeline = model.pipeline
    if not model.family.takes_samplers:
        yield type(pipeline.scheduler).__name__, "index", {}
        return
    models_own = pipeline.scheduler
    schedule = schedule_of(models_own, request, pipeline._execution_device)
    changes: dict[str, Any] = {}
    if schedule.strength_schedule == "noise":
        # The schedule already begins where it should; strength 1 makes the pipeline run all of it.
        schedule.scheduler.set_timesteps = lambda *_, **__: None
        changes = {"strength": 1.0, "num_inference_steps": len(schedule.timesteps)}
    pipeline.scheduler = schedule.scheduler
    try:
        yield schedule.scheduler_name, schedule.strength_schedule, changes
    finally:
        pipeline.scheduler = models_own


def checked_image(images: torch.Tensor) -> Image.Image:
    """Convert decoded pixels (1, 3, height, width) in 0..1 to a picture; raise BrokenOutput for NaN or all black.

    The values are those of diffusers' ``VaeImageProcessor.numpy_to_pil``, computed where the pixels are: doing it on
    the CPU would keep a GPU waiting for 40 milliseconds at 1024 pixels.
    """
    if not torch.isfinite(images).all() or images.max() < 1 / 255:
        raise BrokenOutput
    pixels = (images[0].float() * 255).round().to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(pixels.contiguous().cpu().numpy())
