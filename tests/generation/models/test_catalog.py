"""The catalog and the families: what is written down, checked against the libraries."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from generation.errors import InvalidRequest, ModelUnavailable
from generation.models.catalog import REPOSITORY, load_catalog
from generation.models.families import FAMILIES, Guidance, SizeArgument
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE
from tests.generation.samples import request

ENTRY = """
[mine]
title = "Mine"
summary = "A test."
folder = "models/mine"
family = "stable-diffusion"
licence = "MIT"
multiple = 8
size = 512
max_size = 1024
memory = 1.5
strength = 0.7
guidance_scale = 7.5
num_inference_steps = 30
"""


def test_every_packaged_entry_makes_a_valid_request() -> None:
    catalog = load_catalog(PACKAGED_MODELS_FILE)
    assert {"demo", "stable-diffusion-v1-5", "stable-diffusion-xl", "sd-turbo", "z-image-turbo"} <= set(catalog)
    for name, entry in catalog.items():
        defaults = entry.defaults
        made = request(
            model=name,
            strength=defaults.strength,
            guidance_scale=defaults.guidance_scale,
            num_inference_steps=defaults.num_inference_steps,
            max_pixels=defaults.max_pixels,
        )
        assert made.total_steps >= 1
        assert defaults.size <= entry.max_size
        assert defaults.size >= entry.multiple
        assert entry.memory_bytes > 2**20
    assert [name for name, entry in catalog.items() if entry.is_demo] == ["demo"]


def test_every_pinned_revision_is_cited() -> None:
    text = PACKAGED_MODELS_FILE.read_text()
    for entry in load_catalog(PACKAGED_MODELS_FILE).values():
        if entry.revision is not None:
            assert f"# https://huggingface.co/{entry.hub_id}/tree/{entry.revision}" in text


@pytest.mark.parametrize("name", list(FAMILIES))
def test_diffusers_still_takes_what_a_family_passes(name: str) -> None:
    from diffusers.pipelines import auto_pipeline

    import generation.engine.loaded_models.loading  # imports diffusers without its log lines

    family = FAMILIES[name]
    kinds = {kind.__name__: kind for kind in auto_pipeline.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING.values()}
    kind: Any = kinds[family.pipeline_class]
    taken = inspect.signature(kind.__call__).parameters
    passed = set(family.call_arguments(request(), 64, 64)) | set(
        family.call_arguments(request(negative_prompt="" if not family.takes_negative_prompt else "rain"), 64, 64)
    )
    assert passed | {"image", "generator", "callback_on_step_end", "output_type"} <= set(taken)
    assert ("height" in taken) == (family.size is not SizeArgument.OF_PICTURE)
    assert ("max_area" in taken) == (family.size is SizeArgument.WITH_AREA)
    assert ("strength" in taken) == family.takes_strength
    assert ("negative_prompt" in taken) == family.takes_negative_prompt
    assert ("true_cfg_scale" in taken) == (family.guidance is not Guidance.CLASSIFIER_FREE)
    assert ("prior_callback_on_step_end" in taken) == family.has_prior
    assert set(family.load_arguments) <= set(inspect.signature(kind.__init__).parameters)
    assert generation.engine.loaded_models.loading.load_model


def test_a_family_passes_what_the_request_says() -> None:
    wanted = request("a dog", strength=0.3, guidance_scale=2.0, num_inference_steps=10, negative_prompt="rain")
    assert FAMILIES["z-image"].call_arguments(wanted, 96, 64) == {
        "prompt": "a dog",
        "negative_prompt": "rain",
        "strength": 0.3,
        "guidance_scale": 2.0,
        "num_inference_steps": 10,
        "width": 96,
        "height": 64,
    }
    assert FAMILIES["stable-diffusion"].steps(wanted) == (3,)


def test_what_a_family_has_no_use_for_is_decided_once() -> None:
    klein = FAMILIES["flux-2-klein"]
    assert (klein.strength_for(0.3), FAMILIES["flux"].strength_for(0.3)) == (1.0, 0.3)
    with pytest.raises(InvalidRequest) as caught:
        klein.check_negative_prompt("rain", "FLUX.2 Klein")
    assert (
        error_sentence(caught.value) == "The model FLUX.2 Klein doesn't use the negative prompt. Please leave it out."
    )
    with pytest.raises(InvalidRequest) as caught:
        klein.check_ladder("FLUX.2 Klein")
    assert error_sentence(caught.value) == "The model FLUX.2 Klein doesn't use the strength. Please leave it out."
    FAMILIES["flux"].check_ladder("FLUX.1")
    klein.check_negative_prompt("", "FLUX.2 Klein")
    FAMILIES["flux"].check_negative_prompt("rain", "FLUX.1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the second as some editors on Windows write it
def test_an_operators_catalog_is_read(tmp_path: Path, encoding: str) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY, encoding=encoding)
    entry = load_catalog(models_file)["mine"]
    assert entry.folder == REPOSITORY / "models/mine"
    assert (entry.memory_bytes, entry.defaults.max_pixels) == (3 * 2**29, 512**2)
    with pytest.raises(ModelUnavailable) as caught:
        load_catalog(models_file).find("yours")
    assert caught.value.data == {"known": ["mine"]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("title = ", "tilte = "), "The entry [mine] of the model catalog lacks title."),
        (("memory", "trust_remote_code = true\nmemory"), "has an unknown key, trust_remote_code"),
        (("folder", 'hub = "a/b"\nfolder'), "needs either folder or hub"),
        (('folder = "models/mine"', ""), "needs either folder or hub"),
        (("stable-diffusion", "unstable-diffusion"), "names the unknown family unstable-diffusion"),
        (("multiple", 'revision = "main"\nmultiple'), "has a revision that is not a 40-digit commit"),
        (("[mine]", "[mine"), "is not valid TOML"),
        ((ENTRY, 'title = "Mine"'), "is not an entry: begin one with its name in brackets, such as [my-style]."),
        ((ENTRY, ""), "contains no model."),
        (("1.5", '"1.5"'), "The entry [mine] of the model catalog is one whose memory is not a number."),
        (("1.5", "nan"), "cannot convert float NaN to integer"),
        (("1.5", "inf"), "cannot convert float infinity to integer"),
        (("1.5", "0"), "has a memory that is not above zero."),
        (("= 30", "= 30.0"), "is one whose num_inference_steps is not a whole number."),
        (("= 30", "= true"), "is one whose num_inference_steps is not a whole number."),
        (('"Mine"', "5"), "is one whose title is not text in quotes."),
        (("multiple = 8", "multiple = 8\ngated = 'no'"), "is one whose gated is not true or false."),
        (("multiple = 8", "multiple = 8\nadapters = 'x'"), "is one whose adapters is not a table."),
        (("multiple = 8", "multiple = 12"), "has a multiple that is not a multiple of 8."),
        (
            ('folder = "models/mine"', 'hub = "https://huggingface.co/a/b"'),
            "is one whose hub is not a repository such as",
        ),
        (("0.7", "7"), "cannot be used: the strength must be from 0.01 to 1."),
        (("7.5", "-1"), "cannot be used: the guidance scale must be from 0 to 30."),
        (("= 30", "= 0"), "cannot be used: the number of steps must be from 1 to 150."),
        (("1024", "4096"), "cannot be used: the size must be from 64 to 2048."),
        (("1024", "256"), "has a size above its max_size."),
        (("[mine]", '["my own"]'), "The entry [my own] of the model catalog is one whose name is not made of letters"),
        (("[mine]", f"[{51 * 'm'}]"), "is one whose name is not made of letters"),
        (("multiple", f'revision = "{40 * "0"}"\nmultiple'), "has a revision, but no hub."),
    ],
)
def test_a_wrong_catalog_is_refused_with_a_sentence(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY.replace(*change))
    with pytest.raises(ValueError, match="model catalog") as caught:
        load_catalog(models_file)
    assert sentence in str(caught.value)


def test_a_catalog_in_another_encoding_is_told_as_one(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY.replace("Mine", "Über"), encoding="utf-16")
    with pytest.raises(ValueError, match=r"^The model catalog .* is not in UTF-8: save it as UTF-8\.$"):
        load_catalog(models_file)


def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    models_file = tmp_path / "models.toml"
    adapter = '[mine.adapters.ink]\nfile = "~/ink.safetensors"\n'
    models_file.write_text(ENTRY.replace("models/mine", "~/mine") + adapter)
    entry = load_catalog(models_file)["mine"]
    assert entry.folder == tmp_path / "mine"
    assert entry.adapters["ink"].file.path == tmp_path / "ink.safetensors"


def test_a_model_may_have_a_tiny_autoencoder(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY + '[mine.tiny_autoencoder]\nhub = "somebody/taesd"\nfile = "taesd.safetensors"\n')
    entry = load_catalog(models_file)["mine"]
    assert entry.tiny_autoencoder is not None
    assert (entry.tiny_autoencoder.hub_id, entry.tiny_autoencoder.name) == ("somebody/taesd", "taesd.safetensors")
    assert entry.add_ons == (entry.tiny_autoencoder,)


@pytest.mark.parametrize(
    ("row", "family", "sentence"),
    [
        ("", "stable-diffusion", "has a tiny autoencoder that lacks file or hub."),
        ('file = "taesd.pth"', "stable-diffusion", "has a tiny autoencoder whose file is not a safetensors file."),
        ('hub = "a/b"\nscale = 1', "stable-diffusion", "has a tiny autoencoder with an unknown key, scale."),
        (
            'hub = "a/b"',
            "flux",
            "has adapters, embeddings or a tiny autoencoder, which the family flux does not support.",
        ),
    ],
)
def test_a_wrong_tiny_autoencoder_is_refused_with_a_sentence(
    tmp_path: Path, row: str, family: str, sentence: str
) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY.replace("stable-diffusion", family) + f"[mine.tiny_autoencoder]\n{row}\n")
    with pytest.raises(ValueError, match="model catalog") as caught:
        load_catalog(models_file)
    assert str(caught.value).endswith(sentence)


def test_a_missing_catalog_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read: No such file"):
        load_catalog(tmp_path / "models.toml")
