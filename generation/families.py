"""How families of models differ: loading is uniform in diffusers, calling is not, so a family is one row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from generation.errors import InvalidRequest
from generation.requests import Img2ImgRequest, denoising_steps
from generation.samplers import OWN_SAMPLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One way to call an image-to-image pipeline of diffusers.

    ``pipeline_class`` is the class that ``AutoPipelineForImage2Image`` resolves to. ``takes_size`` says that width and
    height must be passed because the pipeline does not follow the picture. ``takes_samplers`` says that any sampler can
    be used; flow matching has its own. ``load_arguments`` go to ``from_pretrained``; a component that is None there is
    neither downloaded nor loaded.

    Source: the signatures of diffusers 0.42; a test compares them.
    """

    pipeline_class: str
    takes_size: bool = False
    takes_samplers: bool = False
    load_arguments: Mapping[str, Any] = field(default_factory=dict)

    def check_sampler(self, sampler: str, model: str) -> None:
        """Raise InvalidRequest (``not_for_model``) for a sampler that the family cannot be used with."""
        if sampler != OWN_SAMPLER and not self.takes_samplers:
            raise InvalidRequest("sampler", "not_for_model", model=model)

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the denoising steps of one picture, before the scheduler has its say."""
        return denoising_steps(request.strength, request.num_inference_steps)

    def call_arguments(self, request: Img2ImgRequest, width: int, height: int) -> dict[str, Any]:
        """Return what the request says to the pipeline; picture, generator and callback are the engine's."""
        arguments: dict[str, Any] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "strength": request.strength,
            "guidance_scale": request.guidance_scale,
            "num_inference_steps": request.num_inference_steps,
        }
        if self.takes_size:
            arguments |= {"width": width, "height": height}
        return arguments


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "stable-diffusion": Family(
            pipeline_class="StableDiffusionImg2ImgPipeline",
            takes_samplers=True,
            # Its own checker blackens pictures without a word; moderation is the bot's.
            load_arguments=MappingProxyType(
                {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
            ),
        ),
        "stable-diffusion-xl": Family(
            pipeline_class="StableDiffusionXLImg2ImgPipeline",
            takes_samplers=True,
            # The invisible watermark needs a package and changes pixels; the file's metadata say what it is.
            load_arguments=MappingProxyType({"add_watermarker": False}),
        ),
        "z-image": Family(pipeline_class="ZImageImg2ImgPipeline", takes_size=True),
    }
)
