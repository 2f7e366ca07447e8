"""A picture that comes out broken in a narrow dtype is generated once more in float32, leaving no trace."""

import copy
import io
import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from generation.engine.base import BrokenOutput, RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models.loading import LoadedModel
from generation.engine.loaded_models.precision import can_be_widened, in_float32
from generation.engine.texts.conditioning import conditioning_for, encode_text
from generation.models.catalog import Catalog
from generation.phases import Phase
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly
from tests.generation.engine.test_diffusers_engine import pixels, tiny_request
from tests.generation.engine.test_repaint import hole_request
from tests.generation.engine.texts.test_weighting import LONG
from tests.tiny_pipeline import tiny_pipeline

SCHEDULER = "ddim"


def overflowing(
    make_engine: Callable[..., DiffusersEngine], *catalog: Catalog, part: str = "vae.decoder.conv_in"
) -> tuple[DiffusersEngine, Any]:
    """Make a float16 engine in which a component's activations overflow, though they would not in float32."""
    engine = make_engine(*catalog, dtype=torch.float16)
    engine.preload()
    assert engine._models._model is not None
    pipeline = engine._models._model.pipeline
    with torch.no_grad():
        operator.attrgetter(part)(pipeline).weight.fill_(30_000.0)
    return engine, pipeline


def weights(pipeline: Any) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name in ("unet", "vae", "text_encoder")
        for key, value in getattr(pipeline, name).state_dict().items()
    }


def test_a_broken_picture_is_painted_again_in_float32(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine, pipeline = overflowing(make_engine)
    before = weights(pipeline)
    wide: Any = copy.deepcopy(pipeline).to(torch.float32)
    wanted = tiny_request(count=2)
    run = RecordedRun()
    result = engine.run(wanted, run)
    with Image.open(io.BytesIO(wanted.image)) as image:
        expected = [
            wide(
                prompt=wanted.prompt,
                image=image.convert("RGB"),
                strength=wanted.strength,
                num_inference_steps=wanted.num_inference_steps,
                guidance_scale=wanted.guidance_scale,
                negative_prompt=wanted.negative_prompt,
                generator=torch.Generator("cpu").manual_seed(wanted.seed_of(index)),
            ).images[0]
            for index in range(2)
        ]
    assert [pixels(picture.data) for picture in result.pictures] == [picture.tobytes() for picture in expected]
    assert [picture.parameters["dtype"] for picture in result.pictures] == ["float32", "float32"]
    after = weights(pipeline)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)


@pytest.mark.parametrize(
    ("prompt", "negative_prompt", "scale"),
    [("a (fox:1.5)", "", 4.0), (LONG, "(rain:0.5)", 4.0), ("a fox", LONG, 4.0), ("a (fox:1.5)", "", 1.0)],
)
def test_weights_and_ends_of_long_prompts_count_in_float32_too(
    make_engine: Callable[..., DiffusersEngine], prompt: str, negative_prompt: str, scale: float
) -> None:
    engine, pipeline = overflowing(make_engine)
    wide: Any = copy.deepcopy(pipeline).to(torch.float32)
    wanted = tiny_request(prompt=prompt, negative_prompt=negative_prompt, guidance_scale=scale)
    (picture,) = engine.run(wanted, RecordedRun()).pictures
    assert picture.parameters["dtype"] == "float32"
    arguments = {"prompt": prompt, "negative_prompt": negative_prompt, "guidance_scale": scale}
    with torch.no_grad():
        told = conditioning_for(wide, arguments, (64, 64), lambda text: encode_text(wide, text)).tensors
    states = told["encoder_hidden_states"]
    embeddings = {"prompt_embeds": states[-1:], "negative_prompt_embeds": states[:1] if scale > 1 else None}
    with Image.open(io.BytesIO(wanted.image)) as image:
        expected = wide(
            **embeddings,
            image=image.convert("RGB"),
            strength=wanted.strength,
            num_inference_steps=wanted.num_inference_steps,
            guidance_scale=scale,
            generator=torch.Generator("cpu").manual_seed(wanted.seed),
        ).images[0]
    assert pixels(picture.data) == expected.tobytes()


def test_both_encoders_of_the_large_one_count_in_float32_too(
    make_engine: Callable[..., DiffusersEngine], tiny_catalog: Catalog
) -> None:
    catalog = Catalog({"xl-euler": tiny_catalog["xl-euler"]})  # its autoencoder runs in float32 anyway
    engine, pipeline = overflowing(make_engine, catalog, part="unet.conv_in")
    wide: Any = copy.deepcopy(pipeline).to(torch.float32)
    prompt, negative_prompt = "a (fox:1.5)", f"{LONG} {LONG}"
    changes = {"model": "xl-euler", "strength_schedule": "index"}
    wanted = tiny_request(prompt=prompt, negative_prompt=negative_prompt, **changes)
    (picture,) = engine.run(wanted, RecordedRun()).pictures
    assert picture.parameters["dtype"] == "float32"
    arguments = {"prompt": prompt, "negative_prompt": negative_prompt, "guidance_scale": wanted.guidance_scale}
    with torch.no_grad():
        told = conditioning_for(wide, arguments, (64, 64), lambda text: encode_text(wide, text)).tensors
    states, pooled = told["encoder_hidden_states"], told["text_embeds"]
    embeddings: dict[str, Any] = {"prompt_embeds": states[1:], "negative_prompt_embeds": states[:1]}
    embeddings |= {"pooled_prompt_embeds": pooled[1:], "negative_pooled_prompt_embeds": pooled[:1]}
    direct = called_directly(wide, wanted, **embeddings, prompt=None, negative_prompt=None)
    assert pixels(picture.data) == direct.tobytes()


@pytest.mark.parametrize("strength", [0.8, 1.0])
def test_parts_are_repainted_in_float32_too(make_engine: Callable[..., DiffusersEngine], strength: float) -> None:
    engine, pipeline = overflowing(make_engine)
    wide = make_engine()
    wide.preload()
    assert wide._models._model is not None
    for part in ("unet", "vae", "text_encoder"):
        getattr(wide._models._model.pipeline, part).load_state_dict(getattr(pipeline, part).state_dict())
    wanted = hole_request(strength=strength, count=2)
    result, expected = engine.run(wanted, RecordedRun()), wide.run(wanted, RecordedRun())
    assert [picture.parameters["dtype"] for picture in result.pictures] == ["float32", "float32"]
    assert [pixels(each.data) for each in result.pictures] == [pixels(each.data) for each in expected.pictures]
    with pytest.raises(RunCancelled):  # also in the second attempt
        engine.run(wanted, RecordedRun(cancel_at_phase=Phase.DENOISE))


def test_what_is_broken_in_float32_too_is_not_delivered(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine, pipeline = overflowing(make_engine)
    with torch.no_grad():
        pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))
    calls = []
    pipeline.vae.decoder.conv_out.register_forward_hook(lambda *_: calls.append(None))
    with pytest.raises(BrokenOutput):
        engine.run(tiny_request(), RecordedRun())
    assert len(calls) == 2


def test_a_sound_picture_is_painted_in_the_engines_format(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine(dtype=torch.bfloat16)
    (picture,) = engine.run(tiny_request(), RecordedRun()).pictures
    assert picture.parameters["dtype"] == "bfloat16"


def test_an_error_within_leaves_the_weights_as_they_were() -> None:
    pipeline: Any = tiny_pipeline(scheduler=SCHEDULER).to(torch.bfloat16)
    before = weights(pipeline)
    within = set()

    def fail() -> None:
        with in_float32(pipeline):
            within.update(part.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert within == {torch.float32}
    after = weights(pipeline)
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)


def test_what_cannot_be_widened_is_known(
    make_engine: Callable[..., DiffusersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, short = make_engine(), make_engine(dtype=torch.bfloat16)
    for each in (engine, short):
        each.preload()
    assert engine._models._model is not None
    assert not can_be_widened(engine._models._model)
    model = short._models._model
    assert model is not None
    assert can_be_widened(model)
    model.pipeline.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    assert can_be_widened(model)
    numbers = sum(tensor.numel() for part in ("unet", "vae", "text_encoder") for tensor in floating(model, part))
    for spare, is_enough in ((0, False), (1, True)):
        free = round(1.5 * 4 * numbers) + spare
        monkeypatch.setattr("generation.engine.loaded_models.precision.free_bytes", lambda _, free=free: free)
        assert can_be_widened(model) == is_enough


def floating(model: LoadedModel, part: str) -> list[torch.Tensor]:
    module = getattr(model.pipeline, part)
    return [tensor for tensor in (*module.parameters(), *module.buffers()) if tensor.is_floating_point()]
