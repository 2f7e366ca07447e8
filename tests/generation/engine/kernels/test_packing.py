"""Packed weights: the same results, replacing the originals in memory, and restored for code that needs the weights."""

import copy
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.activations import GEGLU
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.input_picture import fitted_image
from generation.engine.kernels import preparing
from generation.engine.kernels.packing import (
    PackingConvolution,
    PackingGEGLU,
    PackingHalves,
    PackingLinear,
    PackingProduct,
    let_layers_pack,
    pack_layers,
    packable_bytes,
    unpack_layers,
)
from generation.engine.loaded_models import resident_models
from generation.engine.loaded_models.loading import load_model
from generation.engine.loaded_models.precision import in_float32
from generation.engine.order import Order
from generation.models.catalog import Catalog
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.kernels.test_kernels import deviation, random
from tests.generation.engine.kernels.test_mapped_files import linux_only, resident_bytes
from tests.generation.engine.kernels.test_mapped_files import weights as weights
from tests.generation.engine.loaded_models.test_adapters import catalog as catalog
from tests.generation.engine.loaded_models.test_adapters import folder as folder
from tests.generation.engine.loaded_models.test_adapters import pixels
from tests.generation.engine.stock import tiny_request
from tests.tiny_pipeline import tiny_pipeline

LAYERS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "linear": (lambda **how: torch.nn.Linear(48, 20, **how), (2, 7, 48)),
    "linear without bias": (lambda **how: torch.nn.Linear(48, 20, bias=False, **how), (5, 48)),
    "3x3": (lambda **how: torch.nn.Conv2d(12, 20, 3, padding=1, **how), (2, 12, 9, 8)),
    "1x3": (lambda **how: torch.nn.Conv2d(12, 20, (1, 3), **how), (1, 12, 9, 8)),
    "smaller": (lambda **how: torch.nn.Conv2d(12, 20, 3, stride=2, **how), (3, 12, 9, 8)),
}


FOUR_LEVELS = {
    "block_out_channels": (16, 16, 32, 32),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}


def is_packing(layer: torch.nn.Module) -> bool:
    return isinstance(layer, PackingLinear | PackingConvolution)


@pytest.fixture(autouse=True)
def _can_pack() -> Iterator[None]:
    try:
        PackingLinear.pack(torch.ones(16, 16, dtype=torch.bfloat16))
    except (AttributeError, RuntimeError):
        pytest.skip("oneDNN has no bfloat16 for this processor")
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("name", list(LAYERS))
def test_a_packed_layer_computes_what_the_usual_one_does(name: str) -> None:
    make, shape = LAYERS[name]
    layer = make(dtype=torch.bfloat16)
    usual, values = copy.deepcopy(layer), random(*shape, dtype=torch.bfloat16)
    let_layers_pack(layer)
    at_first = layer(values)
    assert layer.packed is None
    assert deviation(at_first, usual(values)) < 1e-2
    for _ in range(2):
        assert torch.equal(layer(values), at_first)
        assert layer.packed is not None
    assert "weight" not in dict(layer.named_parameters())
    unpack_layers([layer])
    assert layer.packed is None
    assert torch.equal(layer.weight, usual.weight)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_gated_layer_computes_what_the_usual_one_does(bias: bool, is_wrapped: bool) -> None:
    usual, values = GEGLU(48, 20, bias=bias).bfloat16(), random(2, 7, 48, dtype=torch.bfloat16)
    layer: Any = copy.deepcopy(usual)
    projection = layer.proj
    let_layers_pack(layer)
    if is_wrapped:
        layer.proj = torch.nn.Sequential(projection)  # as an adapter does, which needs the complete output
    at_first = layer(values)
    assert (type(layer), type(projection), projection.packed) == (PackingGEGLU, PackingHalves, None)
    assert deviation(at_first, usual(values)) < 1e-2
    for _ in range(2):
        assert torch.equal(layer(values), at_first)
        assert len(projection.packed) == 2
    unpack_layers([layer])
    assert torch.equal(projection.weight, usual.proj.weight)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (9, 8)])
def test_the_innermost_convolutions_of_four_levels_are_products(height: int, width: int) -> None:
    unet: Any = tiny_pipeline(**FOUR_LEVELS).unet.to(torch.bfloat16)
    convolutions = {name: layer for name, layer in unet.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    usual = copy.deepcopy(convolutions)
    let_layers_pack(unet)
    products = {name for name, layer in convolutions.items() if type(layer) is PackingProduct}
    inner = ("down_blocks.3.resnets.", "mid_block.resnets.", "up_blocks.0.resnets.")
    assert products == {name for name in convolutions if name.startswith(inner) and "shortcut" not in name}
    for name in products:
        layer: Any = convolutions[name]
        values = random(2, layer.in_channels, height, width, dtype=torch.bfloat16)
        at_first = layer(values)
        assert layer.packed is None
        assert deviation(at_first, usual[name](values)) < 1e-2
        assert torch.equal(layer(values), at_first)
        assert layer.packed is not None
    unpack_layers([unet])
    assert all(torch.equal(convolutions[name].weight, usual[name].weight) for name in products)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_over_single_pixels_keeps_its_weight_and_brings_the_channels_innermost(
    layout: torch.memory_format,
) -> None:
    layer = torch.nn.Conv2d(64, 48, 1, dtype=torch.bfloat16)
    usual, values = copy.deepcopy(layer), random(2, 64, 9, 8, dtype=torch.bfloat16).to(memory_format=layout)
    let_layers_pack(layer)
    assert packable_bytes(layer) == 0
    computed = layer(values)
    assert computed.is_contiguous(memory_format=torch.channels_last)
    assert deviation(computed, usual(values)) < 1e-2
    assert torch.equal(layer.weight, usual.weight)


def test_float32_is_never_packed() -> None:
    linear: Any = torch.nn.Linear(8, 8)
    gated: Any = GEGLU(8, 8)
    part = torch.nn.Sequential(linear, gated)
    usual, values = copy.deepcopy(part), random(2, 8)
    let_layers_pack(part)
    assert packable_bytes(part) == 0
    for _ in pack_layers(part):
        assert torch.equal(part(values), usual(values))
    assert (type(linear), linear.packed, gated.proj.packed) == (PackingLinear, None, None)


def test_layers_are_packed_one_at_each_turn_for_their_first_use() -> None:
    part: Any = torch.nn.Sequential(torch.nn.Linear(8, 16), GEGLU(16, 4)).bfloat16()
    let_layers_pack(part)
    assert packable_bytes(part) == 2 * (8 * 16 + 16 * 8)
    turns = pack_layers(part)
    next(turns)
    assert (part[0].packed is None, part[1].proj.packed is None) == (False, True)
    assert packable_bytes(part) == 2 * 16 * 8
    assert sum(1 for _ in turns) == 1
    assert part[1].proj.packed is not None
    assert packable_bytes(part) == 0


def test_what_is_no_usual_convolution_is_left_alone() -> None:
    layers = [torch.nn.Conv2d(4, 4, 3, padding="same"), torch.nn.Conv2d(4, 4, 3, padding_mode="reflect")]
    let_layers_pack(torch.nn.Sequential(*layers))
    assert {type(layer) for layer in layers} == {torch.nn.Conv2d}


@linux_only
def test_a_packed_weight_takes_the_place_of_the_file(weights: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(weights)
    part: Any = torch.nn.ModuleList([torch.nn.Conv2d(512, 512, 3, bias=False), torch.nn.Linear(1024, 1024, bias=False)])
    part[0].weight.data, part[1].weight.data = tensors["conv"], tensors["linear"]
    let_layers_pack(part)
    for _ in range(2):
        part[0](random(1, 512, 4, 4, dtype=torch.bfloat16))
        part[1](random(1, 1024, dtype=torch.bfloat16))
    assert resident_bytes(weights) < weights.stat().st_size / 4


@pytest.mark.parametrize("levels", [{}, FOUR_LEVELS])
def test_a_picture_in_float32_finds_all_weights_and_leaves_them_as_they_were(
    monkeypatch: pytest.MonkeyPatch, levels: dict[str, Any]
) -> None:
    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    monkeypatch.setattr(preparing, "blocked_attention_pays", lambda *_: False)
    monkeypatch.setattr(preparing, "padded_attention_pays", lambda *_: False)
    pipeline: Any = tiny_pipeline(**levels).to(torch.bfloat16)
    before = {name: value.clone() for name, value in pipeline.unet.state_dict().items()}
    wide: Any = copy.deepcopy(pipeline).to(torch.float32)
    preparing.prepare_kernels(pipeline, torch.device("cpu"), torch.bfloat16)
    latents, embeddings = random(2, 4, 16, 16), random(2, 16, 32, seed=1)

    def call(dtype: torch.dtype) -> torch.Tensor:
        return pipeline.unet(latents.to(dtype), 500, embeddings.to(dtype)).sample

    first = call(torch.bfloat16)
    assert torch.equal(call(torch.bfloat16), first)
    packed: list[Any] = [layer for layer in pipeline.unet.modules() if is_packing(layer)]
    assert packed
    assert all(layer.packed is not None for layer in packed)
    with in_float32(pipeline):
        assert deviation(call(torch.float32), wide.unet(latents, 500, embeddings).sample) < 1e-5
    after = pipeline.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(call(torch.bfloat16), first)


def test_adapters_change_packed_layers_as_others(
    make_engine: Callable[..., DiffusersEngine], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = [("", 0.0), ("", 0.0), ("ink", 1.0), ("clay", 0.5), ("", 0.0), ("ink", 1.0)]
    painted = {}
    for packs in (False, True):
        monkeypatch.setattr(preparing, "packing_pays", lambda packs=packs: packs)
        monkeypatch.setattr(preparing, "channels_last_pays", lambda *_: True)
        engine = make_engine(catalog, dtype=torch.bfloat16)
        painted[packs] = [pixels(engine, adapter=name, adapter_weight=weight) for name, weight in wishes]
        assert engine._models._model is not None
        layers = engine._models._model.pipeline.unet.modules()
        assert any(getattr(layer, "packed", None) is not None for layer in layers) is packs
    assert painted[True][0] == painted[True][1] == painted[True][4]
    assert painted[True][2] == painted[True][5] != painted[True][3]
    for usual, packed in zip(painted[False], painted[True], strict=True):
        pairs = torch.frombuffer(bytearray(usual + packed), dtype=torch.uint8).int().view(2, -1)
        assert (pairs[0] - pairs[1]).abs().float().mean() < 1


def test_no_picture_waits_until_the_denoiser_is_packed(
    make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    engine = make_engine(dtype=torch.bfloat16)
    engine.preload()
    assert engine._models._model is not None
    unpacked = [
        hasattr(layer, "weight") for layer in engine._models._model.pipeline.unet.modules() if is_packing(layer)
    ]
    assert unpacked
    assert not any(unpacked)


def test_who_asks_while_the_model_is_loaded_sees_a_step_before_its_weights_stay_packed(
    make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    engine = make_engine(dtype=torch.bfloat16)
    layers, packed = list[Any](), list[int]()

    class Run(RecordedRun):
        def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
            packed.append(sum(layer.packed is not None for layer in layers))

    wanted = tiny_request(num_inference_steps=8)
    asked = Order(wanted, fitted_image(wanted, engine._catalog[wanted.model]), Run())

    def load(*arguments: Any) -> Any:
        engine._loop.submit(asked)
        loaded = load_model(*arguments)
        layers.extend(layer for layer in loaded.pipeline.unet.modules() if is_packing(layer))
        return loaded

    monkeypatch.setattr(resident_models, "load_model", load)
    engine.preload()
    first = asked.pictures[0].result(timeout=300)
    assert (packed[0], packed[-1]) == (0, len(layers))
    again = engine.run(wanted, RecordedRun())
    with Image.open(io.BytesIO(again.pictures[0].data)) as image:
        assert image.tobytes() == first.image.tobytes()


def test_weights_that_are_compiled_are_not_packed(
    make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "packing_pays", lambda: True)
    engine = make_engine(dtype=torch.bfloat16, compiler="eager")
    engine.preload()
    assert engine._models._model is not None
    layers = {type(layer) for layer in engine._models._model.pipeline.unet.modules()}
    assert not layers & {PackingLinear, PackingConvolution}
