"""Long and weighted prompts on random pipelines."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from compel import EmbeddingsProvider
from PIL import Image

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.texts.conditioning import conditioning_for, embedded_texts, encode_text
from generation.models.catalog import Catalog
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.engine.stock import called_directly, stock_pipeline, tiny_request
from tests.tiny_families import texts
from tests.tiny_families.pipelines import stable_diffusion_xl
from tests.tiny_pipeline import MAX_TOKENS

NAME = "encoder_hidden_states"
LONG = "a red fox. a cat on grass. a dog in snow. a tree."  # one token per letter: several chunks of the tiny encoder


@pytest.fixture(scope="module")
def pipeline(tiny_catalog: Catalog) -> Any:
    return stock_pipeline(tiny_catalog, "ddim")


@torch.no_grad()
def states(pipeline: Any, text: str) -> torch.Tensor:
    return encode_text(pipeline, text)[NAME]


def painted(engine: DiffusersEngine, prompt: str, **changes: Any) -> bytes:
    picture = engine.run(tiny_request(prompt=prompt, **changes), RecordedRun()).pictures[0]
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.tobytes()


def test_a_text_that_needs_nothing_is_encoded_as_diffusers_does(pipeline: Any) -> None:
    with torch.no_grad():
        expected, _ = pipeline.encode_prompt("a fox (red)", "cpu", 1, False)
    assert torch.equal(states(pipeline, "a fox (red)"), expected)


@pytest.mark.parametrize("model", ["ddim", "xl-euler"])
@torch.no_grad()
def test_a_bracket_behind_a_backslash_is_a_bracket_with_weights_and_without(tiny_catalog: Catalog, model: str) -> None:
    pipeline = stock_pipeline(tiny_catalog, model)
    assert torch.equal(states(pipeline, r"a fox \(red\)"), states(pipeline, "a fox (red)"))
    assert torch.equal(states(pipeline, r"\(x\) (red:1.2)"), states(pipeline, "(x) (red:1.2)"))


def test_a_weight_of_one_changes_nothing_and_others_what_they_stand_at(pipeline: Any) -> None:
    plain = states(pipeline, "a red fox")
    assert torch.allclose(states(pipeline, "a (red:1.0) fox"), plain, atol=1e-5)
    heavier, lighter = states(pipeline, "a (red:1.5) fox"), states(pipeline, "a (red:0.5) fox")
    assert heavier.shape == lighter.shape == plain.shape
    changed = (heavier - plain).abs().amax(dim=-1)[0] > 1e-6
    assert changed.nonzero().flatten().tolist() == [2, 3, 4]  # after the beginning and "a" come r, e, d
    assert not torch.allclose(lighter, plain, atol=1e-3)


def test_a_long_text_is_read_to_its_end(pipeline: Any) -> None:
    whole = states(pipeline, LONG)
    assert whole.shape[1] > MAX_TOKENS
    assert whole.shape[1] % MAX_TOKENS == 0
    assert not torch.equal(states(pipeline, f"{LONG[:-2]}y."), whole)
    with torch.no_grad():  # diffusers' own code would truncate it
        cut, _ = pipeline.encode_prompt(LONG, "cpu", 1, False)
        also_cut, _ = pipeline.encode_prompt(f"{LONG[:-2]}y.", "cpu", 1, False)
    assert torch.equal(cut, also_cut)


def test_the_device_that_computes_counts_and_not_where_weights_wait(
    tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, usual = (
        stock_pipeline(tiny_catalog, "ddim"),
        EmbeddingsProvider.get_embeddings_for_weighted_prompt_fragments,
    )
    there, told = torch.device("cpu:0"), list[Any]()  # to torch a different device than "cpu", where the weights are
    pipeline.enable_model_cpu_offload(device=there)

    def heard(provider: EmbeddingsProvider, **keywords: Any) -> Any:
        told.extend((provider.device, keywords["device"]))
        return usual(provider, **keywords)

    monkeypatch.setattr(EmbeddingsProvider, usual.__name__, heard)
    assert states(pipeline, "a (red:1.5) fox").shape[1] == MAX_TOKENS
    assert told == [there, there]


@pytest.mark.parametrize(("prompt", "negative_prompt"), [(LONG, "rain"), ("a fox", LONG), (LONG, LONG), (LONG, "")])
@torch.no_grad()
def test_both_texts_get_as_many_chunks(pipeline: Any, prompt: str, negative_prompt: str) -> None:
    arguments = {"prompt": prompt, "negative_prompt": negative_prompt, "guidance_scale": 4.0}
    told = conditioning_for(pipeline, arguments, (64, 64), lambda text: encode_text(pipeline, text))
    longest = max(states(pipeline, text).shape[1] for text in (prompt, negative_prompt))
    assert told.tensors[NAME].shape[:2] == (2, longest)


def test_pictures_follow_weights_and_ends_of_long_prompts(engine: DiffusersEngine, tiny_catalog: Catalog) -> None:
    assert painted(engine, "a (fox:1.6)") != painted(engine, "a fox")
    assert painted(engine, LONG) != painted(engine, f"{LONG[:-2]}y.")
    assert painted(engine, LONG, negative_prompt="(rain:1.6)") != painted(engine, LONG, negative_prompt="rain")


LARGE_LONG = "a red fox on grass. a dog in snow. a tree at a lake. " * 3  # one token per letter, 77 per chunk


@pytest.fixture(scope="module")
def large(tiny_catalog: Catalog) -> Any:
    return stock_pipeline(tiny_catalog, "xl-euler")


@torch.no_grad()
def test_the_large_one_weighs_what_both_encoders_say(large: Any) -> None:
    plain = encode_text(large, "a red fox")
    expected, _, pooled, _ = large.encode_prompt("a red fox", device="cpu", do_classifier_free_guidance=False)
    assert torch.equal(plain[NAME], expected)
    heavier = encode_text(large, "a (red:1.5) fox")
    assert torch.equal(heavier["text_embeds"], pooled)  # the pooled output ignores weights
    width = large.text_encoder.config.hidden_size
    for half in (slice(None, width), slice(width, None)):
        changed = (heavier[NAME] - plain[NAME])[..., half].abs().amax(dim=-1)[0] > 1e-6
        assert changed.nonzero().flatten().tolist() == [2, 3, 4]  # after the beginning and "a" come r, e, d
    assert torch.allclose(encode_text(large, "a (red:1.0) fox")[NAME], plain[NAME], atol=1e-5)


@torch.no_grad()
def test_the_large_one_reads_long_texts_to_their_end(large: Any) -> None:
    told = encode_text(large, LARGE_LONG)
    _, _, pooled, _ = large.encode_prompt(LARGE_LONG, device="cpu", do_classifier_free_guidance=False)
    assert told[NAME].shape[1] % large.tokenizer.model_max_length == 0
    assert told[NAME].shape[1] > large.tokenizer.model_max_length
    assert torch.equal(told["text_embeds"], pooled)
    other = encode_text(large, f"{LARGE_LONG}a cat")
    width = large.text_encoder.config.hidden_size
    assert not torch.equal(other[NAME][..., :width], told[NAME][..., :width])
    assert not torch.equal(other[NAME][..., width:], told[NAME][..., width:])


@pytest.mark.parametrize(
    ("prompt", "negative_prompt"), [("a (fox:1.4)", ""), (LARGE_LONG, "(rain:0.5)"), ("a fox", LARGE_LONG)]
)
def test_a_large_picture_is_the_one_that_diffusers_paints_with_these_embeddings(
    engine: DiffusersEngine, large: Any, prompt: str, negative_prompt: str
) -> None:
    wanted = tiny_request(prompt=prompt, negative_prompt=negative_prompt, model="xl-euler", strength_schedule="index")
    with torch.no_grad():
        arguments = {
            "prompt": prompt,
            "negative_prompt": negative_prompt or None,
            "guidance_scale": wanted.guidance_scale,
        }
        told = conditioning_for(large, arguments, (64, 64), lambda text: encode_text(large, text)).tensors
    states, pooled = told[NAME], told["text_embeds"]
    embeddings = {
        "prompt_embeds": states[1:],
        "negative_prompt_embeds": states[:1],
        "pooled_prompt_embeds": pooled[1:],
        "negative_pooled_prompt_embeds": pooled[:1],
        "prompt": None,
        "negative_prompt": None,
    }
    with torch.no_grad():
        told = embedded_texts(large, arguments, lambda text: encode_text(large, text))
    assert told.keys() == embeddings.keys()
    assert all(told[name] is tensor is None or torch.equal(told[name], tensor) for name, tensor in embeddings.items())
    direct = called_directly(large, wanted, **embeddings)
    changes = {"negative_prompt": negative_prompt, "model": "xl-euler", "strength_schedule": "index"}
    assert painted(engine, prompt, **changes) == direct.tobytes()


def test_a_long_picture_is_the_one_that_diffusers_paints_with_these_embeddings(
    engine: DiffusersEngine, pipeline: Any
) -> None:
    wanted = tiny_request(prompt=LONG, negative_prompt=LONG[::-1])
    with torch.no_grad():
        arguments = {"prompt": LONG, "negative_prompt": LONG[::-1], "guidance_scale": 4.0}
        told = conditioning_for(pipeline, arguments, (64, 64), lambda text: encode_text(pipeline, text)).tensors[NAME]
    embeddings = {
        "prompt_embeds": told[1:],
        "negative_prompt_embeds": told[:1],
        "prompt": None,
        "negative_prompt": None,
    }
    direct = called_directly(pipeline, wanted, **embeddings)
    assert painted(engine, LONG, negative_prompt=LONG[::-1]) == direct.tobytes()


@pytest.fixture(scope="module")
def refiner(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A model like Stable Diffusion XL's refiner: without the first encoder, and conditioned on an aesthetic score."""
    pipeline, width = stable_diffusion_xl(), texts.CLIP_WIDTH
    components = {**pipeline.components, "text_encoder": None, "tokenizer": None}
    shape = {"cross_attention_dim": width, "projection_class_embeddings_input_dim": 5 * 8 + width}
    components["unet"] = type(pipeline.unet).from_config({**pipeline.unet.config, **shape})
    options = {"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False, "add_watermarker": False}
    folder = tmp_path_factory.mktemp("models") / "refiner"
    type(pipeline)(**components, **options).save_pretrained(folder, safe_serialization=True)
    return Catalog({"refiner": replace(tiny_entry("refiner", folder), family="stable-diffusion-xl")})


@pytest.mark.parametrize("negative_prompt", ["", "rain"])
def test_the_refiner_paints_what_diffusers_does(
    make_engine: Callable[..., DiffusersEngine], refiner: Catalog, negative_prompt: str
) -> None:
    wanted = tiny_request(model="refiner", negative_prompt=negative_prompt, strength_schedule="index")
    direct = called_directly(stock_pipeline(refiner, "refiner"), wanted).tobytes()
    assert (
        painted(
            make_engine(refiner),
            wanted.prompt,
            model="refiner",
            negative_prompt=negative_prompt,
            strength_schedule="index",
        )
        == direct
    )
