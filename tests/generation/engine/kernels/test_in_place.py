"""In-place blocks: bit for bit the same as the usual ones, and their input is left unchanged."""

import copy
from typing import Any

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D

from generation.engine.kernels.in_place import InPlaceResnetBlock, compute_in_place
from tests.generation.engine.kernels.test_kernels import random
from tests.tiny_pipeline import tiny_pipeline

USUAL: dict[str, dict[str, Any]] = {
    "in a denoiser": {"temb_channels": 12},
    "in an autoencoder": {"temb_channels": None, "time_embedding_norm": "group"},
    "with a shortcut": {"temb_channels": 12, "out_channels": 24},
}
UNUSUAL: dict[str, dict[str, Any]] = {
    "scale and shift": {"temb_channels": 12, "time_embedding_norm": "scale_shift"},
    "smaller": {"temb_channels": 12, "down": True},
    "larger": {"temb_channels": 12, "up": True},
    "scaled": {"temb_channels": 12, "output_scale_factor": 2.0},
    "with dropout": {"temb_channels": 12, "dropout": 0.5},
    "another activation": {"temb_channels": 12, "non_linearity": "gelu"},
    "time as it is": {"temb_channels": 12, "skip_time_act": True},
}


@pytest.mark.parametrize("name", list(USUAL))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_block_in_place_is_the_usual_one(name: str, dtype: torch.dtype, layout: torch.memory_format) -> None:
    usual = ResnetBlock2D(in_channels=16, groups=4, **USUAL[name]).to(dtype).eval()
    block = copy.deepcopy(usual)
    compute_in_place(block)
    assert type(block) is InPlaceResnetBlock
    values = random(2, 16, 8, 6, dtype=dtype).to(memory_format=layout)
    time = None if USUAL[name]["temb_channels"] is None else random(2, 12, dtype=dtype, seed=1)
    before = values.clone(), None if time is None else time.clone()
    with torch.inference_mode():
        expected = usual(values, time)  # pyright: ignore[reportArgumentType] - an autoencoder's has none
        assert torch.equal(block(values, time), expected)
    assert torch.equal(values, before[0])
    assert time is None or (before[1] is not None and torch.equal(time, before[1]))


@pytest.mark.parametrize("name", list(UNUSUAL))
def test_any_other_block_is_left_alone(name: str) -> None:
    block = ResnetBlock2D(in_channels=16, groups=4, **UNUSUAL[name])
    compute_in_place(block)
    assert type(block) is ResnetBlock2D


def test_a_whole_denoiser_and_autoencoder_are_the_usual_ones() -> None:
    usual, pipeline = tiny_pipeline(), tiny_pipeline()
    for part in (pipeline.unet, pipeline.vae):
        compute_in_place(part)
        blocks = [layer for layer in part.modules() if isinstance(layer, ResnetBlock2D)]
        assert blocks
        assert {type(block) for block in blocks} == {InPlaceResnetBlock}
    latents, embeddings = random(2, 4, 16, 16), random(2, 16, 32, seed=1)
    with torch.inference_mode():
        assert torch.equal(pipeline.unet(latents, 500, embeddings).sample, usual.unet(latents, 500, embeddings).sample)
        assert torch.equal(pipeline.vae.decode(latents).sample, usual.vae.decode(latents).sample)
