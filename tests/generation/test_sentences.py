"""Every reason has its sentence, and every sentence is one that a user can act on."""

import pytest

from generation.errors import ExecutorError, GenerationError, ImageRefused, InvalidRequest, ModelUnavailable
from generation.events import FailureKind
from generation.images.formats import ForeignFormat
from generation.images.refusals import Refusal
from generation.sentences import error_sentence, failure_sentence

DATA = {
    "format": "PNG",
    "limit_bytes": 26_214_400,
    "limit_megapixels": 25,
    "width": 20_000,
    "height": 10,
    "mask_width": 10,
    "mask_height": 20_000,
    "limit": 16_384,
    "seconds": 10.0,
    "max_bytes": 1_048_576,
}


def is_a_sentence(text: str) -> bool:
    return text[0].isupper() and text.endswith(".") and not set("{}") & set(text)


@pytest.mark.parametrize("refusal", [refusal for refusal in Refusal if refusal is not Refusal.FOREIGN_FORMAT])
def test_refusals(refusal: Refusal) -> None:
    sentence = error_sentence(ImageRefused(refusal, **DATA))
    assert is_a_sentence(sentence)
    assert ". Please " in sentence, "it must name a remedy"


@pytest.mark.parametrize("name", list(ForeignFormat))
def test_foreign_formats(name: ForeignFormat) -> None:
    sentence = error_sentence(ImageRefused(Refusal.FOREIGN_FORMAT, format=name.value))
    assert is_a_sentence(sentence)
    assert sentence.startswith("This is a")


def test_numbers_are_named_in_the_units_that_people_know() -> None:
    assert "larger than 25 MiB" in error_sentence(ImageRefused(Refusal.TOO_MANY_BYTES, **DATA))
    assert "1,024 KiB" in failure_sentence(FailureKind.RESULT_TOO_LARGE, {"max_bytes": 1_048_576})
    size = InvalidRequest("max_pixels", "out_of_range", value=1, low=64**2, high=2048**2)
    assert error_sentence(size) == "The size must be from 64 to 2048."
    assert "10 seconds" in error_sentence(ImageRefused(Refusal.TOO_SLOW, seconds=10.0))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest("prompt", "empty"), "The prompt is empty. Please write what the new picture should show."),
        (
            InvalidRequest("prompt", "too_long", value=1600, high=1500),
            "The prompt has 1,600 characters. Please shorten it to 1,500.",
        ),
        (
            InvalidRequest("strength", "out_of_range", value=2, low=0.01, high=1.0),
            "The strength must be from 0.01 to 1.",
        ),
        (
            ModelUnavailable("x", "unknown", known=["demo", "sdxl"]),
            "There is no model called x here. Please choose one of demo, sdxl.",
        ),
    ],
)
def test_errors(error: GenerationError, expected: str) -> None:
    assert error_sentence(error) == expected


def test_errors_that_this_module_does_not_know_have_a_sentence_too() -> None:
    for error in (ExecutorError("x"), GenerationError("x"), ModelUnavailable("x", "of a new kind")):
        assert is_a_sentence(error_sentence(error))


@pytest.mark.parametrize("kind", list(FailureKind))
def test_failures_carry_their_reference(kind: FailureKind) -> None:
    data = {
        FailureKind.INVALID_REQUEST: {"field": "num_inference_steps", "reason": "zero_steps", "value": 1},
        FailureKind.IMAGE_REFUSED: {"reason": "damaged", "format": "PNG"},
        FailureKind.MODEL_UNAVAILABLE: {"model": "x", "reason": "broken"},
        FailureKind.RESULT_TOO_LARGE: {"max_bytes": 1024},
    }.get(kind, {})
    assert is_a_sentence(failure_sentence(kind, data))
    assert failure_sentence(kind, data, "ABCD1234").endswith("(Reference: ABCD1234)")
