"""How model families differ: loading is uniform in diffusers, calling is not, so each family is one row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from generation.errors import InvalidRequest
from generation.requests import MAX_STRENGTH, Img2ImgRequest, Repaint, denoising_steps
from generation.samplers import OWN_SAMPLER


class Guidance(StrEnum):
    """How a pipeline uses the request's ``guidance_scale``."""

    CLASSIFIER_FREE = "classifier_free"  # guidance_scale, against the negative prompt
    DISTILLED = "distilled"  # guidance_scale is an input of the model; a negative prompt also needs true_cfg_scale
    TRUE_CFG = "true_cfg"  # true_cfg_scale, but only with a negative prompt; a blank counts as one


class SizeArgument(StrEnum):
    """How a pipeline is told the size of the result."""

    OF_PICTURE = "of_picture"
    PASSED = "passed"  # otherwise it generates a square of its own size
    WITH_AREA = "with_area"  # width and height give only the aspect ratio, max_area the size
    SWAPPED = "swapped"  # the pipeline swaps width and height internally


# Source: https://huggingface.co/docs/diffusers/api/pipelines/flux, the example with a negative prompt.
_TRUE_CFG_SCALE = 4.0
# What Qwen-Image takes as an empty negative prompt: https://huggingface.co/docs/diffusers/api/pipelines/qwenimage
_NOTHING_UNWANTED = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One way to call an image-to-image pipeline of diffusers.

    ``pipeline_class`` is the class that ``AutoPipelineForImage2Image`` resolves to. A family that does not take a
    strength always runs all steps: it generates from pure noise and only looks at the picture. ``rounds_steps_up`` says
    how ``num_inference_steps * strength`` becomes a whole number. ``has_prior`` says that a prior runs before the
    denoiser, each as a pipeline of its own inside the combined one; ``reads_picture`` that the text encoder sees the
    picture; ``takes_samplers`` that any sampler can be used (flow matching has its own); ``repaints_parts`` that the
    engine takes the denoising steps itself, which lets it keep parts of the picture. ``call_with`` is added to every
    call. ``load_arguments`` go to ``from_pretrained``; a component that is None there is neither downloaded nor loaded.

    Source: the signatures and ``get_timesteps`` of diffusers 0.42; tests compare them.
    """

    pipeline_class: str
    size: SizeArgument = SizeArgument.OF_PICTURE
    guidance: Guidance = Guidance.CLASSIFIER_FREE
    takes_strength: bool = True
    takes_negative_prompt: bool = True
    rounds_steps_up: bool = False
    has_prior: bool = False
    takes_samplers: bool = False
    repaints_parts: bool = False
    reads_picture: bool = False
    call_with: Mapping[str, Any] = field(default_factory=dict)
    load_arguments: Mapping[str, Any] = field(default_factory=dict)

    def strength_for(self, strength: float) -> float:
        """Return the effective strength: 1, which is all steps, if the family takes none."""
        return strength if self.takes_strength else MAX_STRENGTH

    def check_ladder(self, model: str) -> None:
        """Raise InvalidRequest (``not_used``) for a ladder of strengths if the family takes no strength."""
        if not self.takes_strength:
            raise InvalidRequest("strength", "not_used", model=model)

    def check_negative_prompt(self, negative_prompt: str, model: str) -> None:
        """Raise InvalidRequest (``not_used``) for a negative prompt if the family ignores it."""
        if negative_prompt and not self.takes_negative_prompt:
            raise InvalidRequest("negative_prompt", "not_used", model=model)

    def check_sampler(self, sampler: str, model: str) -> None:
        """Raise InvalidRequest (``not_for_model``) for a sampler that does not work with the family."""
        if sampler != OWN_SAMPLER and not self.takes_samplers:
            raise InvalidRequest("sampler", "not_for_model", model=model)

    def check_repaint(self, repaint: Repaint, model: str) -> None:
        """Raise InvalidRequest (``not_for_model``) for a part of a picture if the family repaints only the whole."""
        if repaint != "all" and not self.repaints_parts:
            raise InvalidRequest("repaint", "not_for_model", model=model)

    def steps(self, request: Img2ImgRequest) -> tuple[int, ...]:
        """Return the denoising steps of each picture, before anything that the scheduler adds."""
        return tuple(self._steps(request.strength_of(index), request) for index in range(request.count))

    def _steps(self, strength: float, request: Img2ImgRequest) -> int:
        steps = request.num_inference_steps
        if not self.takes_strength:
            return steps
        if self.rounds_steps_up:
            return steps - int(max(steps - min(steps * strength, steps), 0))
        return denoising_steps(strength, steps)

    def denoiser(self, pipeline: Any) -> Any:
        """Return the pipeline whose ``num_timesteps`` is the number of reported steps."""
        return pipeline.decoder_pipe if self.has_prior else pipeline

    def call_arguments(self, request: Img2ImgRequest, width: int, height: int) -> dict[str, Any]:
        """Return the pipeline arguments that follow from a request for one picture.

        The engine adds the others: the picture, the generator and the callbacks.
        """
        return {
            "prompt": request.prompt,
            "num_inference_steps": request.num_inference_steps,
            **({"strength": request.strength} if self.takes_strength else {}),
            **self._guidance_arguments(request),
            **self._size_arguments(width, height),
            **self.call_with,
        }

    def _guidance_arguments(self, request: Img2ImgRequest) -> dict[str, Any]:
        scale, negative = request.guidance_scale, request.negative_prompt
        match self.guidance:
            case Guidance.TRUE_CFG:
                return {"true_cfg_scale": scale, "negative_prompt": negative or _NOTHING_UNWANTED}
            case Guidance.DISTILLED if negative:
                return {"guidance_scale": scale, "true_cfg_scale": _TRUE_CFG_SCALE, "negative_prompt": negative}
            case Guidance.CLASSIFIER_FREE if self.takes_negative_prompt:
                # None, not "": for None, Stable Diffusion XL and Kandinsky 2.2 use zeros; an empty text they encode.
                return {"guidance_scale": scale, "negative_prompt": negative or None}
        return {"guidance_scale": scale}

    def _size_arguments(self, width: int, height: int) -> dict[str, Any]:
        match self.size:
            case SizeArgument.OF_PICTURE:
                return {}
            case SizeArgument.PASSED:
                return {"width": width, "height": height}
            case SizeArgument.WITH_AREA:
                return {"width": width, "height": height, "max_area": width * height}
            case SizeArgument.SWAPPED:
                return {"width": height, "height": width}


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "stable-diffusion": Family(
            pipeline_class="StableDiffusionImg2ImgPipeline",
            takes_samplers=True,
            repaints_parts=True,
            # Its own checker silently blackens pictures; moderation is the bot's job.
            load_arguments=MappingProxyType(
                {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
            ),
        ),
        "stable-diffusion-xl": Family(
            pipeline_class="StableDiffusionXLImg2ImgPipeline",
            takes_samplers=True,
            repaints_parts=True,
            # The invisible watermark needs a package and changes pixels; the file's metadata says what it is.
            load_arguments=MappingProxyType({"add_watermarker": False}),
        ),
        "stable-diffusion-3": Family(
            pipeline_class="StableDiffusion3Img2ImgPipeline", size=SizeArgument.PASSED, rounds_steps_up=True
        ),
        "flux": Family(
            pipeline_class="FluxImg2ImgPipeline",
            size=SizeArgument.PASSED,
            guidance=Guidance.DISTILLED,
            rounds_steps_up=True,
        ),
        "flux-kontext": Family(
            pipeline_class="FluxKontextPipeline",
            size=SizeArgument.WITH_AREA,
            guidance=Guidance.DISTILLED,
            takes_strength=False,
        ),
        "flux-2-klein": Family(
            pipeline_class="Flux2KleinPipeline",
            size=SizeArgument.PASSED,
            takes_strength=False,
            takes_negative_prompt=False,
        ),
        "qwen-image": Family(
            pipeline_class="QwenImageImg2ImgPipeline",
            size=SizeArgument.PASSED,
            guidance=Guidance.TRUE_CFG,
            rounds_steps_up=True,
        ),
        "qwen-image-edit": Family(
            pipeline_class="QwenImageEditPipeline",
            size=SizeArgument.PASSED,
            guidance=Guidance.TRUE_CFG,
            takes_strength=False,
            reads_picture=True,
        ),
        "qwen-image-edit-plus": Family(
            pipeline_class="QwenImageEditPlusPipeline",
            size=SizeArgument.PASSED,
            guidance=Guidance.TRUE_CFG,
            takes_strength=False,
            reads_picture=True,
        ),
        "z-image": Family(pipeline_class="ZImageImg2ImgPipeline", size=SizeArgument.PASSED, rounds_steps_up=True),
        "kandinsky-2-2": Family(
            pipeline_class="KandinskyV22Img2ImgCombinedPipeline",
            # Its decoder calls preprocess(image, width, height), which expects the height first.
            size=SizeArgument.SWAPPED,
            has_prior=True,
            # Its default is passed on to the decoder, which warns that it is deprecated.
            call_with=MappingProxyType({"callback_steps": None}),
        ),
        "kandinsky-3": Family(pipeline_class="Kandinsky3Img2ImgPipeline"),
    }
)
