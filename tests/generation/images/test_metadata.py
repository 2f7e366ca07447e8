"""What result files say about how they were made, and whether it can be read back, here and elsewhere."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from generation.errors import ImageRefused
from generation.images.encode import encode_picture, encode_smaller
from generation.images.metadata import PictureParameters, read_embedded, read_parameters
from generation.images.refusals import Refusal
from tests import pictures
from tests.pictures import encoded, opened, photo

PARAMETERS = PictureParameters(
    version="0.1.0",
    model="demo",
    revision="0123456789abcdef0123456789abcdef01234567",
    scheduler="EulerAncestralDiscreteScheduler",
    sampler="own",
    strength_schedule="noise",
    seed=4294967295,
    prompt="a red fox, watercolour",
    negative_prompt="blurry: very",
    strength=0.6,
    guidance_scale=7.0,
    num_inference_steps=20,
    denoising_steps=12,
    native_width=96,
    native_height=64,
    enlarged_by=2,
    input_sha256="ab" * 32,
    device="cpu",
    dtype="float32",
    libraries={"diffusers": "0.42.1", "torch": "2.13.0", "transformers": "5.23.0"},
)
ODD_PROMPTS = (
    "plain",
    'with "quotes", commas: and colons',
    "two\nlines",
    "Привет, 世界 🦊",
    "Steps: 3, Sampler: x, Seed: 5",
    "tab\tand back\\slash",
    "umlaut Größe",
)


def test_the_text_is_what_a1111_writes() -> None:
    assert PARAMETERS.text() == (
        "a red fox, watercolour\n"
        "Negative prompt: blurry: very\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 4294967295, Size: 96x64, Model: demo, "
        "Denoising strength: 0.6, Strength schedule: noise, Version: Palimpsest 0.1.0"
    )


def test_a_chosen_sampler_is_named_as_it_was_chosen() -> None:
    chosen = replace(PARAMETERS, scheduler="DPMSolverMultistepScheduler", sampler="dpm++2m-karras")
    assert "Sampler: DPM++ 2M Karras, " in chosen.text()
    record = json.loads(chosen.embedded().record)
    assert (record["sampler"], record["strength_schedule"]) == ("dpm++2m-karras", "noise")


def test_what_a_model_does_not_have_is_left_out_and_commas_are_quoted() -> None:
    bare = replace(
        PARAMETERS, negative_prompt="", strength=None, guidance_scale=None, model="a, b: c", scheduler="OddScheduler"
    )
    assert bare.text() == (
        "a red fox, watercolour\n"
        'Steps: 20, Sampler: Odd, Seed: 4294967295, Size: 96x64, Model: "a, b: c", Version: Palimpsest 0.1.0'
    )


@pytest.mark.parametrize(
    ("adapter", "weight", "shown"),
    [
        ("ink", 0.8, "Adapter: ink, Adapter weight: 0.8, "),
        ("ada:0.5, ink:0.8", 0.0, 'Adapter: "ada:0.5, ink:0.8", '),
    ],
)
def test_adapters_are_written_with_their_weights(adapter: str, weight: float, shown: str) -> None:
    text = replace(PARAMETERS, adapter=adapter, adapter_weight=weight).text()
    assert f"Denoising strength: 0.6, {shown}Strength schedule: noise" in text


def test_the_record_holds_everything() -> None:
    record = json.loads(PARAMETERS.embedded().record)
    assert record["program"] == "Palimpsest"
    assert (record["native_width"], record["width"], record["height"]) == (96, 192, 128)
    assert record["libraries"]["diffusers"] == "0.42.1"
    assert record.keys() >= {"model", "revision", "scheduler", "seed", "prompt", "negative_prompt", "strength"}
    assert record.keys() >= {
        "guidance_scale",
        "num_inference_steps",
        "denoising_steps",
        "input_sha256",
        "device",
        "dtype",
    }


@pytest.mark.parametrize("prompt", ODD_PROMPTS)
@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/jpeg"])
def test_parameters_survive_every_kind_of_file(prompt: str, media_type: str) -> None:
    parameters = replace(PARAMETERS, prompt=prompt, negative_prompt=prompt)
    data = encoded_as(media_type, parameters)
    assert read_embedded(data).text == parameters.text()
    read = read_parameters(data)
    if media_type == "image/png":
        assert read is not None
        assert (read["prompt"], read["negative_prompt"], read["seed"]) == (prompt, prompt, parameters.seed)
    else:
        assert read is None


def encoded_as(media_type: str, parameters: PictureParameters) -> bytes:
    """Encode with a limit just large enough for this kind of file."""
    image, embedded = photo(), parameters.embedded()
    limit = 10**9
    while True:
        data, found = encode_picture(image, embedded, max_bytes=limit)
        if found == media_type:
            return data
        limit = len(data) - 1


def test_files_without_parameters_have_none() -> None:
    for format_name in ("PNG", "WEBP", "JPEG"):
        assert read_parameters(encoded(photo(), format_name)) is None


def test_a_file_holds_the_picture_and_its_parameters_and_nothing_else() -> None:
    marked = photo()
    marked.info.update(comment=b"CANARY", icc_profile=pictures.icc_profile(2.2), exif=pictures.exif(1, artist="CANARY"))
    embedded = PARAMETERS.embedded()
    png, _ = encode_picture(marked, embedded, max_bytes=10**9)
    assert [kind for kind, _ in pictures.png_chunks(png)] == [b"IHDR", b"tEXt", b"tEXt", b"IDAT", b"IEND"]
    webp, media_type = encode_picture(marked, embedded, max_bytes=len(png) - 1)
    assert media_type == "image/webp"
    assert opened(webp).tobytes() == photo().tobytes()
    assert opened(webp).info.keys() <= {"exif", "loop", "background", "timestamp", "duration"}
    jpeg, media_type = encode_picture(marked, embedded, max_bytes=len(webp) - 1)
    assert media_type == "image/jpeg"
    assert {marker for marker, _ in pictures.jpeg_segments(jpeg)} <= {0xE0, 0xE1, 0xDB, 0xC0, 0xC4}
    assert b"CANARY" not in png + webp + jpeg


def test_a_picture_is_fitted_into_ever_smaller_limits_until_it_is_refused() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((128, 128), 80)] * 3)
    embedded = PARAMETERS.embedded()
    sizes: list[str] = []
    limit = 10**9

    def encode_ever_smaller() -> None:
        nonlocal limit
        while True:
            data, media_type = encode_picture(noise, embedded, max_bytes=limit)
            assert len(data) <= limit
            sizes.append(media_type)
            limit = len(data) - 1

    with pytest.raises(ImageRefused) as refused:
        encode_ever_smaller()
    assert sizes[0] == "image/png"
    assert sizes.count("image/jpeg") >= 4
    assert refused.value.reason == Refusal.RESULT_TOO_LARGE
    assert refused.value.data == {"max_bytes": limit}


def test_encoding_smaller_keeps_pixels_where_it_can() -> None:
    png, _ = encode_picture(photo(), PARAMETERS.embedded(), max_bytes=10**9)
    webp, media_type = encode_smaller(png, max_bytes=len(png) - 1)
    assert media_type == "image/webp"
    assert opened(webp).tobytes() == opened(png).tobytes()
    assert read_embedded(webp).text == PARAMETERS.text()
