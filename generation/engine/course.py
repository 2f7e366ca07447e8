"""One picture's course from request to pixels, as a generator that the device loop advances slice by slice."""

import hashlib
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from generation.engine.base import BrokenOutput
from generation.engine.caches import Caches, make_caches
from generation.engine.calls.denoiser import denoise
from generation.engine.denoising import Denoising
from generation.engine.latents.autoencoder import (
    Distribution,
    clean_latents,
    decode_in_slices,
    encode_in_slices,
    latents_mask,
)
from generation.engine.latents.previews import LinearPreviewer, Previewer, fitted_map, tiny_previewer
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.loaded_models.placement import make_room
from generation.engine.loaded_models.precision import can_be_widened, widened
from generation.engine.order import Order, Painted
from generation.engine.painting import checked_image, paint_alone
from generation.engine.texts.conditioning import conditioning_for, embedded_texts, encode_text, is_step_batched
from generation.errors import ModelUnavailable
from generation.models.problems import ModelProblem
from generation.phases import Phase
from generation.requests import Img2ImgRequest
from generation.sentences import error_sentence

log = logging.getLogger(__name__)

# Yields None to let other pictures use the device, or a Denoising, to be resumed once that is done.
Course = Generator[Denoising | None, None, Painted]


class _AttendingRun:
    """Progress reports of a pipeline that runs in one go; each report also attends to the other orders."""

    def __init__(self, order: Order, attend: Callable[[], None]) -> None:
        self._order, self._attend = order, attend

    def enter(self, phase: Phase) -> None:
        self._order.enter(phase)
        self._attend()

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        self._order.step(step, total_steps, preview)
        self._attend()


def course_of(model: LoadedModel, order: Order, index: int, *, caches: Caches, attend: Callable[[], None]) -> Course:
    """Run picture ``index`` of an order from start to end; paint it again, in float32, if it comes out broken.

    ``attend`` is called regularly while this picture keeps the device to itself. Raises BrokenOutput if the picture is
    broken in float32 too.
    """
    try:
        if is_step_batched(model.pipeline):
            return (yield from _in_step_batches(model, order, index, caches, has_previews=order.has_previews))
        return (yield from _alone(model, order, index, attend))
    except BrokenOutput:
        if not can_be_widened(model):
            raise
    log.warning("a picture of %s came out broken; it is painted again in float32", model.entry.name)
    yield
    # Without yielding: the other pictures in progress use the same weights.
    with widened(model) as wide:
        paint = _painted_in if order.repaint_mask is None else _parts_painted_in
        return replace(paint(wide, order, index, attend), in_float32=True)


def _in_step_batches(model: LoadedModel, order: Order, index: int, caches: Caches, *, has_previews: bool) -> Course:
    """Encode, denoise in calls shared with others, decode; equal to calling the pipeline with the same arguments.

    Source: ``StableDiffusionImg2ImgPipeline.__call__`` of diffusers 0.42.
    """
    pipeline, request, image = model.pipeline, order.request.of_picture(index), order.image
    arguments = model.family.call_arguments(request, image.width, image.height)
    order.enter(Phase.ENCODE)
    make_room(pipeline)
    model.adapters.use(request.adapters)  # before encoding: adapters may change the text encoder too
    conditioning = conditioning_for(pipeline, arguments, image.size, partial(_text, model, request, caches))
    yield
    # On the CPU, so that a seed means the same noise on every device.
    generator = torch.Generator("cpu").manual_seed(request.seed)
    dtype = conditioning.tensors["encoder_hidden_states"].dtype
    distribution = yield from _distribution(model, order, dtype, caches)
    previewer = (yield from _previewer(model, dtype, caches)) if has_previews else None
    latents, mask = clean_latents(pipeline, distribution, generator, dtype), order.repaint_mask
    denoising = Denoising(
        order=order,
        index=index,
        scheduler=pipeline.scheduler,
        latents=latents,
        conditioning=conditioning,
        guidance_scale=arguments["guidance_scale"],
        generator=generator,
        make_preview=None if previewer is None else previewer.preview,
        repaint_mask=None if mask is None else latents_mask(mask, latents),
    )
    make_room(pipeline)
    yield denoising
    order.enter(Phase.DECODE)
    pixels = yield from decode_in_slices(pipeline, denoising.latents)
    make_room(pipeline)
    schedule = denoising.schedule
    return Painted(
        image=checked_image(pixels),
        steps=len(schedule.timesteps),
        scheduler=schedule.scheduler_name,
        strength_schedule=schedule.strength_schedule,
        revision=model.revision,
    )


def _alone(model: LoadedModel, order: Order, index: int, attend: Callable[[], None]) -> Course:
    """Call the pipeline as it is, while all other pictures wait."""
    yield
    model.adapters.use(order.request.adapters)
    return paint_alone(model, order.request, _AttendingRun(order, attend), order.image, index)


def _painted_in(wide: LoadedModel, order: Order, index: int, attend: Callable[[], None]) -> Painted:
    """Call a widened model's pipeline; ``attend`` is called regularly while it keeps the device to itself."""
    wide.adapters.use(order.request.adapters)
    overrides = _embedded_arguments(wide, order, index) if is_step_batched(wide.pipeline) else {}
    return paint_alone(wide, order.request, _AttendingRun(order, attend), order.image, index, overrides)


def _parts_painted_in(wide: LoadedModel, order: Order, index: int, attend: Callable[[], None]) -> Painted:
    """Repaint parts with a widened model, in calls of their own; ``attend`` is called between them.

    A pipeline of diffusers would begin with noise alone at the highest strength, so it would not be the same picture.
    """
    wide = replace(wide, graphs=None)  # captured with the narrow weights, as the caches were filled
    course = _in_step_batches(wide, order, index, make_caches(), has_previews=False)
    while True:
        attend()
        try:
            denoising = next(course)
        except StopIteration as end:
            return end.value
        while denoising is not None and not denoising.is_done:
            latents, timesteps = denoising.model_input()
            conditioning = denoising.conditioning.tensors
            denoising.advance(denoise(wide.pipeline, latents, timesteps.to(latents.device), conditioning))
            order.enter(Phase.DENOISE)
            attend()


def _embedded_arguments(model: LoadedModel, order: Order, index: int) -> Mapping[str, Any]:
    """Encode the texts of a request; return them as the arguments that a step-batched pipeline takes in their place."""
    arguments = model.family.call_arguments(order.request.of_picture(index), order.image.width, order.image.height)
    return embedded_texts(
        model.pipeline, arguments, lambda text: encode_text(model.pipeline, model.embeddings.read(text))
    )


def _text(model: LoadedModel, request: Img2ImgRequest, caches: Caches, text: str) -> Mapping[str, torch.Tensor]:
    text = model.embeddings.read(text)
    digest = hashlib.sha256(text.encode()).digest()  # so that no prompt stays in a cache's keys
    key = (model.entry.name, model.revision, model.adapters.contents_of(request.adapters), digest)
    embeddings = caches.texts.get(key)
    if embeddings is None:
        # Adapters may change a text encoder, and its captured graphs do not include them.
        embeddings = encode_text(model.pipeline, text, None if request.adapters else model.graphs)
        caches.texts.put(key, embeddings)
    return embeddings


def _distribution(
    model: LoadedModel, order: Order, dtype: torch.dtype, caches: Caches
) -> Generator[None, None, Distribution]:
    key = (model.entry.name, model.revision, order.image_key)
    distribution = caches.pictures.get(key)
    if distribution is None:
        distribution = yield from encode_in_slices(model.pipeline, order.image, dtype)
        caches.pictures.put(key, distribution)
    return distribution


def _previewer(model: LoadedModel, dtype: torch.dtype, caches: Caches) -> Generator[None, None, Previewer]:
    key = (model.entry.name, model.revision)
    if key not in caches.previewers:
        caches.previewers[key] = _tiny_previewer(model, dtype) or (yield from _linear_previewer(model, dtype, caches))
    return caches.previewers[key]


def _linear_previewer(model: LoadedModel, dtype: torch.dtype, caches: Caches) -> Generator[None, None, LinearPreviewer]:
    fitted_to = f"{model.entry.name} {model.revision} {dtype}"
    coefficients = caches.maps.get(fitted_to, model.pipeline.vae.config.latent_channels)
    if coefficients is None:
        coefficients = yield from fitted_map(model.pipeline, dtype)
        caches.maps.put(fitted_to, coefficients)
    return LinearPreviewer(coefficients)


def _tiny_previewer(model: LoadedModel, dtype: torch.dtype) -> Previewer | None:
    """Return the previewer of the model's tiny autoencoder, or None; a faulty file must not fail the picture."""
    file = model.entry.tiny_autoencoder
    if file is None:
        return None
    try:
        return tiny_previewer(model.locate(file), model.pipeline._execution_device, dtype)
    except ModelUnavailable as error:
        problem = error
    except ValueError:
        problem = file.problem(ModelProblem.DOES_NOT_FIT)
    log.warning(
        "%s Previews of %s are blurry until that is fixed and the bot is restarted.",
        error_sentence(problem),
        model.entry.name,
    )
    return None
