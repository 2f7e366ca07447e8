"""What an operator may write about adapters, and what requests may ask for."""

from pathlib import Path
from typing import Any

import pytest

from generation.adapter_weights import read_adapters, write_adapters
from generation.errors import InvalidRequest
from generation.models.adapters import adapters_of
from generation.models.catalog import load_catalog
from generation.sentences import error_sentence
from tests.generation.models.test_catalog import ENTRY

TABLE = """
[mine.adapters.ink]
file = "adapters/ink.safetensors"
title = "Ink"
trigger = "ink drawing"
weight = 0.8
max_weight = 1.2
"""


def test_an_operators_adapters_are_read(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY + TABLE)
    entry = load_catalog(models_file)["mine"]
    ink = entry.adapter("ink")
    assert (ink.title, ink.trigger, ink.weight, ink.min_weight, ink.max_weight) == ("Ink", "ink drawing", 0.8, 0.0, 1.2)
    assert (ink.checked_weight(None), ink.checked_weight(0.3)) == (0.8, 0.3)
    with pytest.raises(InvalidRequest) as refused:
        ink.checked_weight(1.3)
    assert error_sentence(refused.value) == "The adapter's weight must be from 0 to 1.2."
    with pytest.raises(InvalidRequest) as refused:
        entry.adapter("clay")
    assert error_sentence(refused.value) == "The adapter must be one of ink."


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("ink", (("ink", 0.3),)), ("v1.5:.2", (("v1.5", 0.2),)), (" ink:1 , clay,", (("clay", 0.3), ("ink", 1.0)))],
)
def test_what_is_written_is_read_the_same_in_any_order(text: str, chosen: tuple[tuple[str, float], ...]) -> None:
    assert read_adapters(text, 0.3) == chosen
    assert read_adapters(",".join(reversed(text.split(","))), 0.3) == chosen
    assert read_adapters(*write_adapters(chosen)) == chosen


def test_one_alone_is_written_as_it_always_was() -> None:
    assert write_adapters([("ink", 0.8)]) == ("ink", 0.8)
    assert write_adapters([]) == ("", 0.0)
    assert read_adapters("", 0.0) == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ink:0.5, ink", "An adapter can't be named twice."),
        ("a, b, c, d", "At most 3 adapters can be combined."),
        ("ink:much", "The adapter's weight must be a number, such as 0.8."),
    ],
)
def test_what_cannot_be_combined_is_said(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_adapters(text, None)
    assert error_sentence(refused.value) == sentence


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "that lacks file or hub"),
        ({"hub": "a/b", "file": "x.bin"}, "not a safetensors file"),
        ({"hub": "a/b", "revision": "main"}, "not a 40-digit commit"),
        ({"file": "x.safetensors", "revision": "0" * 40}, "has a revision, but no hub"),
        ({"file": "x.bin"}, "not a safetensors file"),
        ({"file": "x.safetensors", "weight": 2.0}, "outside its range"),
        ({"file": "x.safetensors", "code": "x.py"}, "unknown key, code"),
        ({"file": "x.safetensors", "weight": "1"}, "has an adapter x whose weight is not a number"),
        ({"file": 5}, "whose file is not text in quotes"),
        ({"hub": "../b"}, "whose hub is not a repository such as somebody/some-model"),
        ("x.safetensors", "has an adapter x that is not a table"),
    ],
)
def test_a_wrong_adapter_is_refused_with_a_sentence(row: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        adapters_of({"x": row}, model="mine", root=Path())


@pytest.mark.parametrize("name", ["a,b", "a:1", "a b", ""])
def test_a_name_that_could_not_be_read_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="whose name is not made of"):
        adapters_of({name: {"file": "x.safetensors"}}, model="mine", root=Path())


def test_a_family_without_adapters_refuses_them(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text((ENTRY + TABLE).replace('"stable-diffusion"', '"z-image"'))
    with pytest.raises(ValueError, match="tiny autoencoder, which the family z-image does not support"):
        load_catalog(models_file)
