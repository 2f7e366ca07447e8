"""Words that a model was taught (textual inversion) and the operator offers: what each is, and where it stands."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.models.add_ons import FILE_KINDS, AddOnFile, take_file
from generation.models.rows import check_kinds

# Brackets, colon and backslash belong to weights: generation.prompt_weights.
_NOT_IN_A_WORD = re.compile(r"[()\\:\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What a word in a prompt means to one model: vectors in a file, instead of the word's own tokens."""

    name: str
    title: str
    word: str
    file: AddOnFile


def embeddings_of(rows: Mapping[str, Mapping[str, Any]], *, model: str, root: Path) -> dict[str, Embedding]:
    """Read a model's table ``embeddings``; raise ValueError with the end of a sentence for what is wrong in it."""
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
    """Return a pattern for the words of embeddings, in any case, and never inside another word."""
    # The longest first, so that none is taken for the beginning of another.
    words = sorted((embedding.word for embedding in embeddings), key=len, reverse=True)
    return re.compile("|".join(map(_bounded, words)) or r"(?!)", re.IGNORECASE)


def embeddings_in(text: str, embeddings: Iterable[Embedding]) -> list[Embedding]:
    """Return those whose words stand in a text."""
    offered = list(embeddings)
    found = {match[0].casefold() for match in pattern_of(offered).finditer(text)}
    return [embedding for embedding in offered if embedding.word.casefold() in found]


def _bounded(word: str) -> str:
    before = r"(?<![\w-])" if re.match(r"\w", word[0]) else ""
    after = r"(?![\w-])" if re.match(r"\w", word[-1]) else ""
    return f"{before}{re.escape(word)}{after}"
