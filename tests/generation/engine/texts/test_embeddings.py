"""Textual inversion on random pipelines: the same picture as diffusers', and no other picture changes."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.loaded_models.loading import load_model
from generation.engine.texts.conditioning import encode_text
from generation.engine.texts.embeddings import Embeddings
from generation.errors import ModelUnavailable
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog
from generation.models.embeddings import Embedding
from generation.models.memory_plan import MemoryPlan, Placement
from generation.models.snapshots import ModelFiles
from generation.sentences import error_sentence
from tests.generation.engine.company import Company, painted, watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import called_directly, stock_pipeline, tiny_request
from tests.tiny_families.pipelines import stable_diffusion_xl
from tests.tiny_families.texts import CLIP_WIDTH
from tests.tiny_pipeline import HIDDEN_SIZE

ONE, THREE = (torch.randn(count, HIDDEN_SIZE, generator=torch.Generator().manual_seed(count)) for count in (1, 3))
LEFT, RIGHT = (torch.randn(2, CLIP_WIDTH, generator=torch.Generator().manual_seed(seed)) for seed in (7, 8))
FORMS = {
    "toy": {"<cat-toy>": ONE[0]},
    "ink": {"emb_params": THREE},
    "clay": {"string_to_param.*": THREE, "string_to_token.*": torch.tensor(265)},
    "twice": {"emb_params": THREE},
    "wide": {"emb_params": torch.zeros(1, HIDDEN_SIZE + 1)},
    "double": {"clip_l": LEFT, "clip_g": RIGHT},
    "many": {"a": ONE, "b": ONE + 1},
    "empty": {"emb_params": torch.zeros(0, HIDDEN_SIZE)},
}
WORDS = {"toy": "<cat-toy>"}


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Embedding]:
    folder = tmp_path_factory.mktemp("embeddings")
    for name, tensors in FORMS.items():
        save_file(tensors, folder / f"{name}.safetensors")
    (folder / "text.safetensors").write_text("this is not a tensor")
    names = [*FORMS, "text", "gone"]
    files = {
        name: AddOnFile(model="ddim", add_on=f"embedding {name}", path=folder / f"{name}.safetensors") for name in names
    }
    return {
        name: Embedding(name=name, title=name, word=WORDS.get(name, name), file=file) for name, file in files.items()
    }


@pytest.fixture(scope="module")
def catalog(tiny_catalog: Catalog, offered: dict[str, Embedding]) -> Catalog:
    return Catalog({"ddim": replace(tiny_catalog["ddim"], embeddings=offered), "euler": tiny_catalog["euler"]})


@pytest.fixture(scope="module")
def taught(make_engine: Callable[..., DiffusersEngine], catalog: Catalog) -> DiffusersEngine:
    return make_engine(catalog)


def pixels(engine: DiffusersEngine, prompt: str, **changes: Any) -> bytes:
    picture = engine.run(tiny_request(prompt=prompt, **changes), RecordedRun()).pictures[0]
    assert picture.parameters["prompt"] == prompt
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.tobytes()


@pytest.mark.parametrize(
    ("word", "vectors", "changes"),
    [
        ("<cat-toy>", ONE, {}),
        ("ink", THREE, {}),
        ("INK", THREE, {}),
        ("clay", THREE, {}),
        ("twice", THREE, {}),
        ("ink", THREE, {"negative_prompt": "no ink, no <cat-toy>"}),
    ],
)
def test_it_is_the_picture_that_diffusers_paints_with_the_vectors(
    taught: DiffusersEngine, catalog: Catalog, word: str, vectors: torch.Tensor, changes: dict[str, str]
) -> None:
    pipeline = stock_pipeline(catalog, "ddim")
    for token, tensor in (("$word", vectors), ("$ink", THREE), ("$toy", ONE)):
        pipeline.load_textual_inversion({token: tensor}, token=token)
    negative = changes.get("negative_prompt", "").replace("ink", "$ink").replace("<cat-toy>", "$toy")
    wanted = tiny_request(prompt="a $word cat", negative_prompt=negative)
    assert pixels(taught, f"a {word} cat", **changes) == called_directly(pipeline, wanted).tobytes()


def test_every_other_text_is_read_as_if_nothing_had_been_loaded(
    taught: DiffusersEngine, engine: DiffusersEngine
) -> None:
    assert pixels(taught, "an ink cat") != pixels(engine, "an ink cat")
    for prompt in ("a cat", "drinking", "cat-toy", "a (pink:1.2) cat", "a cat. a dog. a long dog in an old barn."):
        assert pixels(taught, prompt) == pixels(engine, prompt)
    # To another model the word is just letters; back on this one it is a taught word again.
    assert pixels(taught, "an ink cat", model="euler") == pixels(engine, "an ink cat", model="euler")
    assert pixels(taught, "an ink cat") != pixels(engine, "an ink cat")


def test_words_are_weighed_and_stand_in_long_prompts(taught: DiffusersEngine, engine: DiffusersEngine) -> None:
    several = "a red fox. a cat on grass. a dog in snow. an"
    pictures = [
        pixels(taught, prompt)
        for prompt in ("a ink", "a (ink:1.5)", "a (ink:0.5)", f"{several} ink.", f"{several} inc.", f"{several} clay.")
    ]
    assert len(set(pictures)) == len(pictures) - 1
    assert pictures[3] == pictures[5]  # the same vectors under another word
    assert pictures[4] == pixels(engine, f"{several} inc.")


def test_they_share_calls_with_everybody(taught: DiffusersEngine) -> None:
    prompts = ["a ink cat", "a cat", "a <cat-toy>", "a clay dog"]
    alone = [pixels(taught, prompt, seed=seed) for seed, prompt in enumerate(prompts)]
    company, rows = Company(taught), list[int]()
    orders = [company.order(tiny_request(prompt=prompt, seed=seed)) for seed, prompt in enumerate(prompts)]
    with watched_denoiser(taught, lambda call: rows.append(call["latents"].shape[0])):
        company.begin()
        together = [painted(order).image for order in orders]
    assert max(rows) == 8
    for image, expected in zip(together, alone, strict=True):
        difference = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()
        difference -= torch.frombuffer(bytearray(expected), dtype=torch.uint8).int()
        assert difference.abs().max() <= 1


@pytest.mark.parametrize("name", ["wide", "double", "many", "empty", "text", "gone"])
def test_a_file_that_cannot_be_used_harms_nobody_else(
    taught: DiffusersEngine, engine: DiffusersEngine, name: str
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        taught.run(tiny_request(prompt=f"a {name} cat"), RecordedRun())
    end = "isn't here." if name == "gone" else "doesn't fit the model."
    assert error_sentence(caught.value) == f"The file {name}.safetensors of the embedding {name} of ddim {end}"
    assert pixels(taught, "a cat") == pixels(engine, "a cat")


def locate(file: AddOnFile) -> Path:
    return file.locate(Path())


@torch.no_grad()
def test_encoders_whose_layers_come_and_go_are_taught_too(taught: DiffusersEngine, catalog: Catalog) -> None:
    entry = catalog["ddim"]
    assert entry.folder is not None
    plan = MemoryPlan(device="cpu", dtype="float32", batch_width=2, placement=Placement.GROUP_OFFLOAD)
    files = ModelFiles(entry.folder, "0" * 40)
    offloaded = load_model(entry, files, torch.device("cpu"), torch.float32, plan, locate)
    resident = taught._models.get("ddim", lambda: None)
    states = [
        encode_text(model.pipeline, model.embeddings.read("a (ink:1.2) cat"))["encoder_hidden_states"]
        for model in (offloaded, resident)
    ]
    assert torch.equal(*states)


@pytest.mark.parametrize("is_old", [False, True])
@torch.no_grad()
def test_both_encoders_of_the_large_one_are_taught(offered: dict[str, Embedding], is_old: bool) -> None:
    ours, stock = stable_diffusion_xl(), stable_diffusion_xl()
    for name in ("text_encoder", "text_encoder_2", "unet"):
        getattr(ours, name).load_state_dict(getattr(stock, name).state_dict())
    if is_old:  # as in the published one: a text ends at its highest token id
        for module in ours.text_encoder_2.modules():
            if hasattr(module, "eos_token_id"):
                module.eos_token_id = 2
    before = encode_text(ours, "a fox")
    for encoder, tokenizer, vectors in (
        (stock.text_encoder, stock.tokenizer, LEFT),
        (stock.text_encoder_2, stock.tokenizer_2, RIGHT),
    ):
        stock.load_textual_inversion({"$word": vectors}, token="$word", text_encoder=encoder, tokenizer=tokenizer)
    expected, _, pooled, _ = stock.encode_prompt("a $word fox", device="cpu", do_classifier_free_guidance=False)
    words = Embeddings(ours, offered, locate)
    told = encode_text(ours, words.read("a double fox"))
    assert words.read("a double, double fox").count("-1>") == 2
    assert torch.equal(told["encoder_hidden_states"], expected)
    assert torch.equal(told["text_embeds"], pooled)
    for name, tensor in encode_text(ours, "a fox").items():
        assert torch.equal(tensor, before[name])
    with pytest.raises(ModelUnavailable, match="does_not_fit"):
        words.read("a ink fox")  # its file is for the small model
