"""The operator's embedding words: what may be written about them, and where they match in a text."""

from pathlib import Path
from typing import Any

import pytest

from generation.models.catalog import load_catalog
from generation.models.embeddings import embeddings_in, embeddings_of
from tests.generation.models.test_catalog import ENTRY

TABLE = """
[mine.embeddings.cat-toy]
file = "cat-toy.safetensors"
word = "<cat-toy>"
title = "A toy cat"

[mine.embeddings.ink]
hub = "somebody/ink"
"""


def test_an_operators_embeddings_are_read(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(ENTRY + TABLE)
    entry = load_catalog(models_file)["mine"]
    toy, ink = entry.embeddings.values()
    assert (toy.word, toy.title, toy.file.source) == ("<cat-toy>", "A toy cat", "cat-toy.safetensors")
    assert (ink.word, ink.title, ink.file.hub_id) == ("ink", "ink", "somebody/ink")
    assert entry.add_ons == (toy.file, ink.file)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"x": {}}, "has an embedding x that lacks file or hub"),
        ({"x": {"file": "x.pt"}}, "has an embedding x whose file is not a safetensors file"),
        ({"x": {"hub": "a/b", "weight": 1.0}}, "has an embedding x with an unknown key, weight"),
        ({"x": {"hub": "a/b", "word": "two words"}}, "without spaces, brackets and colons"),
        ({"x": {"hub": "a/b", "word": "(x)"}}, "without spaces, brackets and colons"),
        ({"x": {"hub": "a/b", "word": 5}}, "has an embedding x whose word is not text in quotes"),
        ({"x": {"hub": "a/b", "word": ""}}, "without spaces, brackets and colons"),
        ({"x": {"hub": "a/b"}, "y": {"hub": "a/b", "word": "X"}}, "has two embeddings with the word X"),
    ],
)
def test_a_wrong_embedding_is_refused_with_a_sentence(rows: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match="embedding") as caught:
        embeddings_of(rows, model="mine", root=Path())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a fox", []),
        ("an ink fox", ["ink"]),
        ("Ink, (INK:1.2) and ink", ["ink"]),
        ("drinking pink inks", []),
        ("an ink-wash fox", ["ink-wash"]),
        ("an inkwash, an ink-washed fox", []),
        ("a<cat-toy>y in ink", ["ink", "<cat-toy>"]),
        ("cat-toy", []),
    ],
)
def test_a_word_is_found_where_it_stands_alone(text: str, found: list[str]) -> None:
    words = ("ink", "ink-wash", "<cat-toy>")
    offered = embeddings_of({word: {"hub": "a/b", "word": word} for word in words}, model="mine", root=Path())
    assert [embedding.word for embedding in embeddings_in(text, offered.values())] == found
