"""Words taught to a model by textual inversion that the operator offers: what each is, and where its file is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.models.add_ons import FILE_KINDS, AddOnFile, take_file
from generation.models.rows import check_kinds

# Brackets, colons and backslashes belong to the syntax of weights: generation.prompt_weights.
_NOT_IN_A_WORD = re.compile(r"[()\\:\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What a word in a prompt means to one model: vectors from a file instead of the word's own tokens."""

    name: str
    title: str
    word: str
    file: AddOnFile


def embeddings_of(rows: Mapping[str, Mapping[str, Any]], *, model: str, root: Path) -> dict[str, Embedding]:
    """Read a model's ``embeddings`` table; raise ValueError with the end of a sentence if something in it is wrong."""
    embeddings: dict[str, Embedding] = {}
    for name, row in rows.items():
        try:
            check_kinds(row, {**FILE_KINDS, "word": str, "title": str})
            values = dict(row)
            file = take_file(values, model=model, add_on=f"embedding {name}", root=root)
        except ValueError as error:
            raise ValueError(f"has an embedding {name} {error}") from error
        word = values.pop("word", name)
        embedding = Embedding(name=name, title=values.pop("title", word), word=word, file=file)
        if values:
            raise ValueError(f"has an embedding {name} with an unknown key, {next(iter(values))}")
        if not word or _NOT_IN_A_WORD.search(word):
            raise ValueError(f"has an embedding {name} whose word is not one without spaces, brackets and colons")
        if any(word.casefold() == other.word.casefold() for other in embeddings.values()):
            raise ValueError(f"has two embeddings with the word {word}")
        embeddings[name] = embedding
    return embeddings


def pattern_of(embeddings: Iterable[Embedding]) -> re.Pattern[str]:
    """Return a pattern that matches the words of embeddings, in any case, but never inside another word."""
    # The longest first, so that a word that begins another does not match in its place.
    words = sorted((embedding.word for embedding in embeddings), key=len, reverse=True)
    return re.compile("|".join(map(_bounded, words)) or r"(?!)", re.IGNORECASE)


def embeddings_in(text: str, embeddings: Iterable[Embedding]) -> list[Embedding]:
    """Return the embeddings whose words occur in a text."""
    offered = list(embeddings)
    found = {match[0].casefold() for match in pattern_of(offered).finditer(text)}
    return [embedding for embedding in offered if embedding.word.casefold() in found]


def _bounded(word: str) -> str:
    before = r"(?<![\w-])" if re.match(r"\w", word[0]) else ""
    after = r"(?![\w-])" if re.match(r"\w", word[-1]) else ""
    return f"{before}{re.escape(word)}{after}"
