"""Repainting only the transparent parts of a picture, on random pipelines: the rest stays pixel by pixel."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import StableDiffusionInpaintPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_inpaint import (
    StableDiffusionXLInpaintPipeline,
)
from PIL import Image, ImageChops

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.input_picture import fitted_image, fitted_mask
from generation.engine.latents.autoencoder import latents_mask
from generation.engine.texts.conditioning import is_step_batched
from generation.errors import InvalidRequest
from generation.images.transparency import repaint_mask
from generation.models.catalog import Catalog
from generation.models.families import FAMILIES
from generation.requests import Img2ImgRequest, Picture
from tests.generation.engine.company import Company, painted, watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import gradient, stock_pipeline, tiny_request
from tests.generation.engine.test_step_batch import apart

# Ancestral samplers draw noise at each step; the stock pipeline has drawn some for a masked picture before that.
SAMPLERS = ["ddim", "euler", "dpm++2m-karras", "unipc", "pndm"]


def with_a_hole(box: tuple[int, int, int, int] = (20, 12, 50, 44), side: int = 64) -> bytes:
    image = Image.open(io.BytesIO(gradient(side, side)))
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, box)
    image.putalpha(alpha)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def hole_request(**changes: Any) -> Img2ImgRequest:
    return tiny_request(**{"image": with_a_hole(), "repaint": "transparent", "strength": 0.8, **changes})


def with_colours(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def image_of(picture: Picture) -> Image.Image:
    with Image.open(io.BytesIO(picture.data)) as opened:
        return opened.convert("RGB")


def inpainted(catalog: Catalog, wanted: Img2ImgRequest) -> Any:
    """Call diffusers' own inpainting pipeline with every argument written out; return the denoised latents."""
    stock = stock_pipeline(catalog, wanted.model)
    pipeline: Any
    if catalog[wanted.model].family == "stable-diffusion-xl":
        pipeline = StableDiffusionXLInpaintPipeline(**stock.components, add_watermarker=False)
    else:
        pipeline = StableDiffusionInpaintPipeline(**stock.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    entry = catalog[wanted.model]
    mask = fitted_mask(wanted, entry)
    assert mask is not None
    # On the grid of the latents, where the stock pipeline picks one pixel of each cell and ours asks whether any is in.
    cells = latents_mask(mask, torch.empty(1, 1, 64 // pipeline.vae_scale_factor, 64 // pipeline.vae_scale_factor))
    on_grid = Image.fromarray((cells[0, 0].numpy() * 255).astype(np.uint8)).resize((64, 64), Image.Resampling.NEAREST)
    return pipeline(
        prompt=wanted.prompt,
        image=fitted_image(wanted, entry),
        mask_image=on_grid,
        height=64,
        width=64,
        strength=wanted.strength,
        num_inference_steps=wanted.num_inference_steps,
        guidance_scale=wanted.guidance_scale,
        negative_prompt=wanted.negative_prompt or None,
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="pil",
    ).images[0]


@pytest.mark.parametrize("model", [*SAMPLERS, "xl-euler"])
def test_it_is_what_diffusers_inpaints(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog, model: str
) -> None:
    wanted = hole_request(model=model, strength_schedule="index")
    result = image_of(make_engine(strict=True).run(wanted, RecordedRun()).pictures[0])
    inside = (24, 16, 46, 40)  # further in than the seam
    # The stock pipeline lays its pixels out otherwise, which rounds otherwise.
    assert apart(result.crop(inside), inpainted(tiny_catalog, wanted).crop(inside)) <= 1


@pytest.mark.parametrize("schedule", ["index", "noise"])
@pytest.mark.parametrize("model", ["ddim", "euler-a", "lcm", "xl-euler"])
def test_what_is_opaque_stays_and_what_is_transparent_is_repainted(
    engine: DiffusersEngine, model: str, schedule: str
) -> None:
    wanted = hole_request(model=model, strength_schedule=schedule, count=2)
    sent_in = Image.open(io.BytesIO(wanted.image))
    mask = repaint_mask(sent_in.getchannel("A"))
    results = [image_of(picture) for picture in engine.run(wanted, RecordedRun()).pictures]
    for result in results:
        changed = ImageChops.difference(result, sent_in.convert("RGB")).convert("L")
        assert changed.getbbox() is not None
        assert Image.composite(Image.new("L", mask.size), changed, mask).getbbox() is None
    assert ImageChops.difference(*results).getbbox() is not None  # each has a seed of its own


def test_what_surrounds_the_hole_has_a_say(make_engine: Callable[..., DiffusersEngine]) -> None:
    """The same colours fill both holes, and the same noise: only what is kept while they are denoised differs."""
    engine = make_engine(strict=True)
    wanted = hole_request(strength=1.0)
    masked = image_of(engine.run(wanted, RecordedRun()).pictures[0])
    sent_in = with_colours(fitted_image(wanted, engine._catalog["ddim"]))
    whole = image_of(engine.run(replace(wanted, image=sent_in, repaint="all"), RecordedRun()).pictures[0])
    assert apart(masked.crop((24, 16, 46, 40)), whole.crop((24, 16, 46, 40))) > 1


def test_what_is_kept_is_as_sharp_as_it_was(engine: DiffusersEngine) -> None:
    """A small model's picture is enlarged; the opaque parts are those of the file in the size of the result."""
    wanted = hole_request(image=with_a_hole((80, 48, 200, 176), side=256), native=False, max_pixels=64 * 64)
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    assert (picture.width, picture.native_width) == (512, 64)
    with Image.open(io.BytesIO(wanted.image)) as opened:
        expected = opened.convert("RGB").resize((512, 512), Image.Resampling.LANCZOS)
    assert apart(image_of(picture).crop((0, 0, 512, 90)), expected.crop((0, 0, 512, 90))) == 0


def test_what_is_kept_of_a_small_picture_has_no_halo(engine: DiffusersEngine) -> None:
    image, alpha = Image.new("RGB", (48, 48), "white"), Image.new("L", (48, 48), 0)
    image.paste((100, 100, 100), (12, 12, 36, 36))
    alpha.paste(255, (12, 12, 36, 36))
    image.putalpha(alpha)
    result = image_of(engine.run(hole_request(image=with_colours(image), native=False), RecordedRun()).pictures[0])
    assert result.size == (512, 512)
    inside = (136, 136, 376, 376)  # eight pixels, less than one of the file, from the edges
    assert result.crop(inside).getextrema() == ((100, 100),) * 3


def test_in_company_it_is_the_picture_painted_alone(engine: DiffusersEngine) -> None:
    wanted = hole_request(num_inference_steps=12)
    alone = engine.run(wanted, RecordedRun()).pictures[0]
    company = Company(engine)
    whole = company.order(tiny_request(seed=1, strength=1.0, num_inference_steps=12))
    part = company.order(wanted, at_step=2)
    rows: list[int] = []
    with watched_denoiser(engine, lambda call: rows.append(len(call["latents"]))):
        company.begin()
        images = painted(whole).image, painted(part).image
    assert max(rows) == 4
    assert images[0].size == images[1].size
    inside = (24, 16, 46, 40)
    assert apart(images[1].crop(inside), image_of(alone).crop(inside)) <= 1


def test_under_a_mask_it_starts_from_the_colours_that_are_there(engine: DiffusersEngine, tiny_catalog: Catalog) -> None:
    image = Image.open(io.BytesIO(gradient(64, 64)))
    alpha = Image.new("L", image.size, 255)
    alpha.paste(1, (20, 12, 50, 44))  # as the decoder writes what a mask marks
    image.putalpha(alpha)
    wanted = hole_request(image=with_colours(image), strength=0.3)
    assert fitted_image(wanted, tiny_catalog["ddim"]) == image.convert("RGB")
    assert fitted_mask(wanted, tiny_catalog["ddim"]) == fitted_mask(hole_request(), tiny_catalog["ddim"])
    other = image_of(engine.run(hole_request(strength=0.3), RecordedRun()).pictures[0])
    picture = engine.run(wanted, RecordedRun()).pictures[0]
    assert apart(image_of(picture), other) > 1  # that one fills the hole with the colours around it
    assert (picture.parameters["repaint"], picture.parameters["transparent"]) == ("transparent", False)


def test_its_file_says_so(engine: DiffusersEngine) -> None:
    part = engine.run(hole_request(), RecordedRun()).pictures[0].parameters
    assert (part["repaint"], part["transparent"]) == ("transparent", True)
    whole = engine.run(hole_request(repaint="all"), RecordedRun()).pictures[0].parameters
    assert (whole["repaint"], whole["transparent"]) == ("all", True)
    opaque = engine.run(tiny_request(), RecordedRun()).pictures[0].parameters
    assert (opaque["repaint"], opaque["transparent"]) == ("all", False)


def test_a_picture_without_transparent_parts_is_refused(engine: DiffusersEngine) -> None:
    with pytest.raises(InvalidRequest) as refused:
        engine.run(tiny_request(repaint="transparent"), RecordedRun())
    assert (refused.value.field, refused.value.reason) == ("repaint", "nothing_transparent")


def test_only_families_whose_steps_are_ours_repaint_parts() -> None:
    for family in FAMILIES.values():
        pipeline = type(family.pipeline_class, (), {})()
        assert family.repaints_parts == is_step_batched(pipeline), family.pipeline_class
    with pytest.raises(InvalidRequest) as refused:
        FAMILIES["flux"].check_repaint("transparent", "Flux")
    assert (refused.value.field, refused.value.reason) == ("repaint", "not_for_model")
