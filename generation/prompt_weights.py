"""``(word:1.2)`` in a prompt: how much a part of it counts, in the syntax of AUTOMATIC1111 and its relatives."""

import re
from dataclasses import dataclass

# Beyond this, pictures fall apart; compel's own documentation warns from 1.6 on.
MAX_WEIGHT = 2.0

_WEIGHTED = re.compile(r"(?<!\\)\(([^()]*?[^()\s\\]\s*):\s*(\d*\.?\d+)\s*\)")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a prompt and how much it counts: 1 is normal, 0 not at all."""

    text: str
    weight: float = 1.0


def fragments_of(prompt: str) -> list[Fragment]:
    """Split a prompt at its weights; weights above 2 count as 2, and other brackets are ordinary text.

    A backslash before the bracket makes ``\\(word:1.2)`` ordinary text.
    """
    fragments: list[Fragment] = []
    position = 0
    for match in _WEIGHTED.finditer(prompt):
        if before := prompt[position : match.start()].strip():
            fragments.append(Fragment(without_escapes(before)))
        fragments.append(Fragment(without_escapes(match[1].strip()), min(float(match[2]), MAX_WEIGHT)))
        position = match.end()
    if (rest := prompt[position:].strip()) or not fragments:
        fragments.append(Fragment(without_escapes(rest)))
    return fragments


def without_weights(prompt: str) -> str:
    """Return the words of a prompt without weight brackets and numbers: ``(na:1.1)me`` becomes *name*."""
    return _WEIGHTED.sub(r"\1", prompt)


def without_escapes(text: str) -> str:
    """Return a text with its escaped brackets unescaped."""
    return text.replace("\\(", "(").replace("\\)", ")")
