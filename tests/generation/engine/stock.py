"""Requests for the random pipelines, and what diffusers' own pipelines make of them."""

import io
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from PIL import Image

from generation.images.fit import fit_image
from generation.models.catalog import Catalog
from generation.requests import Img2ImgRequest
from tests.generation.samples import request


def gradient(width: int, height: int) -> bytes:
    image = Image.merge("RGB", [Image.linear_gradient("L").resize((width, height)).rotate(90 * n) for n in range(3)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tiny_request(**changes: Any) -> Img2ImgRequest:
    fields = {"image": gradient(64, 64), "model": "ddim", "native": True, "num_inference_steps": 8}
    return request(**{"prompt": "a cat on grass", **fields, **changes})


def stock_pipeline(catalog: Catalog, model: str) -> Any:
    """Load a model as diffusers does."""
    folder = str(catalog[model].folder)
    pipeline: Any
    if catalog[model].family == "stable-diffusion-xl":
        pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(folder, add_watermarker=False)
    else:
        pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
            folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def called_directly(
    pipeline: Any, wanted: Img2ImgRequest, size: tuple[int, int] = (64, 64), output_type: str = "pil", **changes: Any
) -> Any:
    """Call diffusers' own pipeline with every argument written out; ``changes`` override them."""
    with Image.open(io.BytesIO(wanted.image)) as image:
        fitted = fit_image(image.convert("RGB"), *size)
    arguments: dict[str, Any] = {
        "prompt": wanted.prompt,
        "image": fitted,
        "strength": wanted.strength,
        "num_inference_steps": wanted.num_inference_steps,
        "guidance_scale": wanted.guidance_scale,
        "negative_prompt": wanted.negative_prompt or None,
        "generator": torch.Generator("cpu").manual_seed(wanted.seed),
        "output_type": output_type,
    }
    return pipeline(**{**arguments, **changes}).images[0]
