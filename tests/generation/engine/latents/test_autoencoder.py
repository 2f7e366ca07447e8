"""Encoding and decoding in slices: the autoencoder's own results, and time for others in between."""

import itertools
from collections.abc import Generator
from typing import Any, TypeVar

import pytest
import torch
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.input_picture import fitted_image
from generation.engine.latents.autoencoder import clean_latents, decode_in_slices, encode_in_slices
from generation.engine.order import Order
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import tiny_request
from tests.tiny_families.pipelines import stable_diffusion_xl

Value = TypeVar("Value")


def at_once(slices: Generator[None, None, Value]) -> Value:
    """Run all slices."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value


def xl_pipeline(dtype: torch.dtype, *, force_upcast: bool, **config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = stable_diffusion_xl()
    pipeline.vae.register_to_config(force_upcast=force_upcast, **config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(dtype)


@pytest.mark.parametrize(
    ("dtype", "force_upcast", "config"),
    [
        (torch.float32, True, {}),
        (torch.bfloat16, False, {}),
        (torch.bfloat16, True, {}),  # encodes in float32 and decodes in bfloat16
        (torch.float32, False, {"latents_mean": [0.1, 0.2, 0.3, 0.4], "latents_std": [1.1, 1.2, 1.3, 1.4]}),
    ],
)
@torch.no_grad()
def test_slices_are_the_whole(dtype: torch.dtype, force_upcast: bool, config: dict[str, Any]) -> None:
    """Compare with what Stable Diffusion XL's own pipeline prepares and its autoencoder decodes."""
    pipeline = xl_pipeline(dtype, force_upcast=force_upcast, **config)
    image = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    expected = pipeline.prepare_latents(
        pipeline.image_processor.preprocess(image),
        None,
        1,
        1,
        dtype,
        torch.device("cpu"),
        torch.Generator().manual_seed(3),
        add_noise=False,
    )
    distribution = at_once(encode_in_slices(pipeline, image, dtype))
    latents = clean_latents(pipeline, distribution, torch.Generator().manual_seed(3), dtype)
    assert latents.dtype == dtype
    assert torch.equal(latents, expected)
    assert pipeline.vae.dtype == dtype  # restored
    unscaled = latents / pipeline.vae.config.scaling_factor
    if config:
        mean, std = (torch.tensor(values).view(1, 4, 1, 1) for values in config.values())
        unscaled = latents * std / pipeline.vae.config.scaling_factor + mean
    pixels = pipeline.image_processor.postprocess(pipeline.vae.decode(unscaled).sample, output_type="pt")
    assert torch.equal(at_once(decode_in_slices(pipeline, latents)), pixels)


def test_a_picture_that_is_given_up_while_it_is_encoded_leaves_the_number_format_as_it_was() -> None:
    pipeline = xl_pipeline(torch.bfloat16, force_upcast=True)
    slices = encode_in_slices(pipeline, Image.new("RGB", (64, 48)), torch.bfloat16)
    with torch.no_grad():
        next(slices)
        assert pipeline.vae.dtype == torch.float32
        slices.close()
    assert pipeline.vae.dtype == torch.bfloat16


def test_others_take_steps_between_the_slices_of_a_decoding(engine: DiffusersEngine) -> None:
    engine.run(tiny_request(), RecordedRun())
    pipeline, entry = engine._models._model.pipeline, engine._catalog["ddim"]  # type: ignore[union-attr]
    loop, heard = type(engine._loop)(engine._models, torch.device("cpu"), max_width=16), list[str]()
    short, long = (
        Order(wanted, fitted_image(wanted, entry), RecordedRun())
        for wanted in (tiny_request(num_inference_steps=2), tiny_request(num_inference_steps=60))
    )
    parts = {"step": [pipeline.unet], "decode": [pipeline.vae.decoder.mid_block, *pipeline.vae.decoder.up_blocks]}
    handles = [
        part.register_forward_hook(lambda *_, name=name: heard.append(name))
        for name, members in parts.items()
        for part in members
    ]
    try:
        loop.accept(long)
        loop.accept(short)
        with torch.no_grad():
            while not short.pictures[0].done():
                loop._batches.step_seconds = 0.0  # as if steps were faster than any slice
                loop.turn()
    finally:
        for handle in handles:
            handle.remove()
    assert heard.count("decode") == 3
    assert not any(pair == ("decode", "decode") for pair in itertools.pairwise(heard))
    assert not long.pictures[0].done()
