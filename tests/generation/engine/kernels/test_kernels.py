"""Kernels: chosen by measurement, equal to the usual ones, and nothing changes in float32."""

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch.nn import functional

from generation.engine.device import choose_dtype
from generation.engine.kernels import preparing, probe
from generation.engine.kernels.attention_processor import MIN_SCORES, CpuAttnProcessor
from generation.engine.kernels.cpu_attention import BLOCK_QUERIES, KEYS_AT_ONCE, blocked_attention, padded_attention
from generation.engine.kernels.preparing import prepare_kernels
from generation.engine.kernels.probe import (
    SMALL_WIN,
    best_seconds,
    bfloat16_pays,
    blocked_attention_pays,
    channels_last_pays,
    clock_for,
    packing_pays,
    padded_attention_pays,
    wins,
)
from tests.tiny_pipeline import tiny_pipeline

CPU = torch.device("cpu")


def deviation(result: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the relative L2 error."""
    return float((result.double() - expected.double()).norm() / expected.double().norm())


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize(("tokens", "keys"), [(BLOCK_QUERIES, 77), (BLOCK_QUERIES + 1, 600), (3, 5), (1300, 1300)])
def test_blocks_attend_as_torch_does(tokens: int, keys: int) -> None:
    query, key, value = random(2, 3, tokens, 40), random(2, 3, keys, 40, seed=1), random(2, 3, keys, 40, seed=2)
    expected = functional.scaled_dot_product_attention(query, key, value)
    result = blocked_attention(query, key, value)
    assert result.shape == expected.shape
    assert deviation(result, expected) < 1e-6
    assert result.transpose(1, 2).is_contiguous()


def test_blocks_in_bfloat16_stay_within_its_rounding() -> None:
    query, key, value = (random(1, 2, 1024, 40, seed=seed, dtype=torch.bfloat16) for seed in range(3))
    truth = functional.scaled_dot_product_attention(query.double(), key.double(), value.double())
    # Scores are rounded once more than in torch's kernel, which keeps them in float32.
    assert deviation(blocked_attention(query, key, value), truth) < 2 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize("keys", [1, KEYS_AT_ONCE - 1, KEYS_AT_ONCE, 77])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nobody_sees_the_keys_that_fill_a_register(keys: int, dtype: torch.dtype) -> None:
    query, key, value = (random(2, 3, length, 40, seed=length, dtype=dtype) for length in (70, keys, keys))
    truth = functional.scaled_dot_product_attention(query.double(), key.double(), value.double())
    result = padded_attention(query, key, value)
    assert result.shape == truth.shape
    assert deviation(result, truth) < 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("keys", [None, 77])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("rescale", [1.0, 2.0])
def test_the_processor_is_the_usual_one(
    monkeypatch: pytest.MonkeyPatch, keys: int | None, residual: bool, rescale: float
) -> None:
    calls = count_calls(monkeypatch)
    width = 32
    layer: Any = Attention(
        width, heads=4, dim_head=8, residual_connection=residual, rescale_output_factor=rescale
    ).eval()
    tokens = MIN_SCORES // (keys or 512) + 1
    hidden = random(2, tokens, width)
    context = None if keys is None else random(2, keys, width, seed=1)
    with torch.inference_mode():
        layer.set_processor(AttnProcessor2_0())
        expected = layer(hidden, context)
        assert calls == []
        layer.set_processor(CpuAttnProcessor(in_blocks=True, pads_keys=False))
        result = layer(hidden, context)
        assert len(calls) == 1
        layer.set_processor(CpuAttnProcessor(in_blocks=False, pads_keys=True))
        padded = layer(hidden, context)
    assert len(calls) == 1
    assert deviation(result, expected) < 1e-6
    assert deviation(padded, expected) < 1e-6


def test_masks_few_tokens_and_pictures_are_left_to_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    layer: Any = Attention(32, heads=4, dim_head=8).eval()
    of_a_picture: Any = Attention(32, heads=1, dim_head=32, norm_num_groups=8, residual_connection=True).eval()
    mask = torch.zeros(1, 1, 1024)
    with torch.inference_mode():
        for module, arguments in (
            (layer, {"hidden_states": random(1, 1024, 32), "attention_mask": mask}),
            (layer, {"hidden_states": random(1, 16, 32)}),
            (of_a_picture, {"hidden_states": random(1, 32, 32, 32)}),
        ):
            module.set_processor(AttnProcessor2_0())
            expected = module(**arguments)
            module.set_processor(CpuAttnProcessor(in_blocks=True, pads_keys=False))
            assert torch.equal(module(**arguments), expected)
    assert calls == []


def test_nothing_is_changed_in_float32(probes: Callable[..., None]) -> None:
    probes(channels_last=True, blocked=True)
    pipeline: Any = tiny_pipeline()
    pipeline.vae.register_to_config(force_upcast=True)
    prepare_kernels(pipeline, CPU, torch.float32)
    assert all(type(processor) is AttnProcessor2_0 for processor in pipeline.unet.attn_processors.values())
    assert pipeline.unet.conv_in.weight.is_contiguous()
    assert pipeline.vae.config.force_upcast is True


@pytest.mark.parametrize("pays", [False, True])
def test_in_bfloat16_what_pays_is_taken(probes: Callable[..., None], pays: bool) -> None:
    probes(channels_last=pays, blocked=pays)
    pipeline: Any = tiny_pipeline().to(torch.bfloat16)
    pipeline.vae.register_to_config(force_upcast=True)
    prepare_kernels(pipeline, CPU, torch.bfloat16)
    for part in (pipeline.unet, pipeline.vae.decoder):
        assert part.conv_in.weight.is_contiguous(memory_format=torch.channels_last) is pays
    processors = {type(processor) for processor in pipeline.unet.attn_processors.values()}
    assert processors == {CpuAttnProcessor if pays else AttnProcessor2_0}
    assert pipeline.vae.config.force_upcast is False


def test_in_float16_an_autoencoder_that_overflows_is_still_computed_in_float32(probes: Callable[..., None]) -> None:
    probes(channels_last=True, blocked=True)
    pipeline: Any = tiny_pipeline().to(torch.float16)
    pipeline.vae.register_to_config(force_upcast=True)
    prepare_kernels(pipeline, CPU, torch.float16)
    assert pipeline.vae.config.force_upcast is True


def test_the_denoiser_with_every_kernel_agrees_with_the_usual_one(
    probes: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    probes(channels_last=True, blocked=True)
    calls = count_calls(monkeypatch)
    usual: Any = tiny_pipeline().to(torch.bfloat16)
    prepared: Any = tiny_pipeline().to(torch.bfloat16)
    truth: Any = tiny_pipeline()
    prepare_kernels(prepared, CPU, torch.bfloat16)
    latents, embeddings = random(2, 4, 64, 64), random(2, 16, 32, seed=1)
    with torch.inference_mode():
        expected = truth.unet(latents, 500, embeddings).sample
        results = [
            pipeline.unet(latents.bfloat16(), 500, embeddings.bfloat16()).sample for pipeline in (usual, prepared)
        ]
    assert calls
    far, near = deviation(results[1], expected), deviation(results[0], expected)
    assert far < 2 * near


@pytest.mark.parametrize(("pays", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_cpus_format_is_the_measured_one(
    monkeypatch: pytest.MonkeyPatch, pays: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(probe, "bfloat16_pays", lambda _: pays)
    assert choose_dtype("auto", CPU) == expected
    assert choose_dtype("float16", CPU) == torch.float16


def test_each_probe_gives_an_answer_on_this_machine() -> None:
    answers = [
        bfloat16_pays(CPU),
        channels_last_pays(CPU, torch.bfloat16),
        blocked_attention_pays(CPU, torch.float32),
        padded_attention_pays(CPU, torch.bfloat16),
        packing_pays(),
    ]
    assert all(isinstance(answer, bool) for answer in answers)


def test_the_shortest_of_many_rounds_counts_and_the_first_does_not() -> None:
    durations = {"usual": iter([1.0, 9.0, 5.0, 7.0]), "candidate": iter([0.5, 4.0, 8.0, 3.0])}
    now = 0.0

    def work(name: str) -> None:
        nonlocal now
        now += next(durations[name])

    works = [lambda: work("usual"), lambda: work("candidate")]
    assert best_seconds(works, rounds=3, clock=lambda: now) == [5.0, 3.0]


def test_a_win_has_to_be_clear() -> None:
    assert wins(1.2, 1.0)
    assert not wins(1.1, 1.0)
    assert wins(1.1, 1.0, SMALL_WIN)
    assert not wins(1.04, 1.0, SMALL_WIN)


def test_waiting_for_a_core_is_not_computing() -> None:
    assert clock_for(torch.device("cuda")) is time.perf_counter
    if sys.platform != "win32":
        assert clock_for(CPU) is time.process_time


def test_a_probe_waits_for_the_device() -> None:
    told: list[str] = []
    best_seconds([lambda: told.append("work")], rounds=2, wait=lambda: told.append("wait"))
    assert told == ["work", "wait"] * 3
    assert all(first != second for first, second in pairwise(told))


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    from generation.engine.kernels import attention_processor

    calls: list[None] = []

    def counted(*tensors: torch.Tensor) -> torch.Tensor:
        calls.append(None)
        return blocked_attention(*tensors)

    monkeypatch.setattr(attention_processor, "blocked_attention", counted)
    return calls


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the results of the probes."""

    def find(*, channels_last: bool, blocked: bool) -> None:
        monkeypatch.setattr(preparing, "channels_last_pays", lambda *_: channels_last)
        monkeypatch.setattr(preparing, "blocked_attention_pays", lambda *_: blocked)
        monkeypatch.setattr(preparing, "padded_attention_pays", lambda *_: blocked)
        monkeypatch.setattr(preparing, "packing_pays", lambda: False)

    return find
