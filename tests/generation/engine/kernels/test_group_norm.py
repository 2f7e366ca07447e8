"""Channels-last group normalization: its kernels, run by Triton's interpreter, give the same results as torch."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from generation.engine.calls.denoiser import denoise
from generation.engine.kernels import channels_last, preparing, probe
from generation.engine.kernels.channels_last import (
    ChannelsLastGroupNorm,
    forget_channels_last,
    keep_channels_last,
    put_channels_last,
)
from generation.engine.kernels.in_place import compute_in_place
from generation.engine.kernels.probe import channels_last_norm_pays
from tests.generation.engine.calls.test_fast_denoiser import inputs
from tests.generation.engine.kernels.test_kernels import deviation, random
from tests.tiny_pipeline import tiny_pipeline

pytest.importorskip("triton", reason="Triton is for Linux")
from generation.engine.kernels import group_norm

SHAPES = [(2, 320, 4, 4, 32), (1, 64, 24, 16, 32), (2, 96, 5, 7, 32), (1, 32, 40, 40, 8)]


@pytest.fixture
def innermost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make layers use the kernels even though nothing is on a GPU."""
    monkeypatch.setattr(channels_last, "_is_on_gpu", lambda pixels: True)


@pytest.mark.parametrize("activates", [False, True])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*((shape, torch.float32) for shape in SHAPES), (SHAPES[2], torch.bfloat16), (SHAPES[2], torch.float16)],
)
def test_the_kernels_say_what_torch_says(
    shape: tuple[int, ...], dtype: torch.dtype, activates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_norm, "_MOST_CHUNKS", 3)  # so that a program loops over several tiles
    *sizes, groups = shape
    pixels = (random(*sizes) * 3 + 1).to(dtype).to(memory_format=torch.channels_last)
    weight, bias = random(sizes[1], seed=1, dtype=dtype), random(sizes[1], seed=2, dtype=dtype)
    expected = functional.group_norm(pixels.double(), groups, weight.double(), bias.double(), 1e-5)
    expected = functional.silu(expected) if activates else expected
    result = group_norm.group_norm(pixels, groups, weight, bias, 1e-5, activates=activates)
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert deviation(result, expected) < torch.finfo(dtype).eps


def test_a_picture_of_one_colour_has_no_variance_and_is_no_nan() -> None:
    pixels = torch.full((1, 32, 8, 8), 1000.1).to(memory_format=torch.channels_last)
    result = group_norm.group_norm(pixels, 8, torch.ones(32), torch.zeros(32), 1e-5)
    assert result.abs().max() < 1


@torch.no_grad()
def test_a_denoiser_says_the_same_with_them(innermost: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline: Any = tiny_pipeline()
    expected = denoise(pipeline, *inputs(3, 12))
    compute_in_place(pipeline.unet)
    put_channels_last(pipeline.unet)
    keep_channels_last(pipeline.unet)
    calls = list[torch.Size]()
    honest = group_norm.group_norm

    def counted(pixels: torch.Tensor, *arguments: Any, **keywords: Any) -> torch.Tensor:
        calls.append(pixels.shape)
        return honest(pixels, *arguments, **keywords)

    monkeypatch.setattr(group_norm, "group_norm", counted)
    assert deviation(denoise(pipeline, *inputs(3, 12)), expected) < 1e-5
    assert len(calls) == sum(type(layer) is ChannelsLastGroupNorm for layer in pipeline.unet.modules())


@torch.no_grad()
def test_elsewhere_the_layer_is_torchs_own() -> None:
    layer, ours = torch.nn.GroupNorm(4, 8), torch.nn.GroupNorm(4, 8)
    keep_channels_last(ours)
    assert type(ours) is ChannelsLastGroupNorm
    for pixels in (random(2, 8, 5), random(2, 8, 4, 4), random(2, 8, 4, 4).to(memory_format=torch.channels_last)):
        assert torch.equal(ours(pixels), layer(pixels))
        assert torch.equal(ours(pixels, activates=True), functional.silu(layer(pixels)))


def test_a_compiler_gets_torchs_own_layers_back() -> None:
    unet = tiny_pipeline().unet
    keep_channels_last(unet)
    assert any(type(layer) is ChannelsLastGroupNorm for layer in unet.modules())
    forget_channels_last(unet)
    assert not any(type(layer) is ChannelsLastGroupNorm for layer in unet.modules())


@pytest.mark.parametrize(("norm_pays", "layout_pays"), [(True, False), (False, True), (False, False)])
def test_a_card_gets_what_pays(norm_pays: bool, layout_pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "channels_last_norm_pays", lambda *_: norm_pays)
    monkeypatch.setattr(preparing, "channels_last_pays", lambda *_: layout_pays)
    unet = tiny_pipeline().unet.to(torch.bfloat16)
    preparing.prepare_part(unet, torch.device("cuda:0"), torch.bfloat16)
    weight = unet.down_blocks[0].resnets[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == (norm_pays or layout_pays)
    assert any(type(layer) is ChannelsLastGroupNorm for layer in unet.modules()) == norm_pays


def test_where_triton_cannot_be_used_it_does_not_pay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    channels_last_norm_pays.cache_clear()
    assert not channels_last_norm_pays(torch.device("cpu"), torch.bfloat16)  # which cannot capture
    assert "Triton cannot be used here" in caplog.text
    channels_last_norm_pays.cache_clear()


def test_kernels_that_say_something_else_do_not_pay(innermost: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_captured", lambda work: work)
    monkeypatch.setattr(probe, "_compare", lambda device, *works: [2.0, 1.0])
    monkeypatch.setattr(probe, "_is_gpu", lambda device: True)
    monkeypatch.setattr(probe, "_SIDE_ON_A_CARD", 8)
    for factor in (1.0, 1.1):
        honest = group_norm.group_norm
        monkeypatch.setattr(group_norm, "group_norm", lambda *a, f=factor, g=honest, **k: f * g(*a, **k))
        channels_last_norm_pays.cache_clear()
        assert channels_last_norm_pays(torch.device("cpu"), torch.bfloat16) == (factor == 1.0)
    channels_last_norm_pays.cache_clear()
