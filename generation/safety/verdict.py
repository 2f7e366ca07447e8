"""What a check has found: labels with scores from 0 to 1; what follows from them is decided elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_MAX_DISTANCE = 12  # of 128 bits: a resized copy or a JPEG of it differs in a few, two pictures in dozens


class Label(StrEnum):
    """What was found: in words with the score 1, in a picture with the classifier's probability."""

    SEXUAL = "sexual"  # words with no other meaning
    SUGGESTIVE = "suggestive"  # words that are harmless in most contexts
    MINOR = "minor"  # children and teenagers, by word, age or symbol
    SEXUAL_MINOR = "sexual_minor"  # both together, in whatever order
    TERM = "term"  # words on the server's own list
    NSFW = "nsfw"  # what the picture shows


@dataclass(frozen=True, slots=True)
class Verdict:
    """The labels that were found, each with its score; a label that is not listed has the score 0."""

    scores: Mapping[Label, float] = field(default_factory=dict)

    def score(self, label: Label) -> float:
        """Return a label's score, 0 if it was not found."""
        return self.scores.get(label, 0.0)

    def has(self, label: Label) -> bool:
        """Tell whether a label was found at all."""
        return self.score(label) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureVerdict:
    """The verdict on a picture, and its perceptual hash: 32 hexadecimal digits, None for a picture without contrast."""

    verdict: Verdict
    perceptual_hash: str | None = None


def is_alike(first: str, second: str) -> bool:
    """Tell whether two perceptual hashes belong to the same picture, possibly in another size or format."""
    return (int(first, 16) ^ int(second, 16)).bit_count() <= _MAX_DISTANCE


def highest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the highest score of each label among several verdicts."""
    scores: dict[Label, float] = {}
    for verdict in verdicts:
        for label, score in verdict.scores.items():
            scores[label] = max(score, scores.get(label, 0.0))
    return Verdict(scores)
