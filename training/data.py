"""Compose captioned pictures: what a picture shows (`Spec`), its caption, and its drawing; all from one seed."""

import random
from dataclasses import dataclass, replace
from functools import cache

from PIL import Image

from training import sprites
from training.drawing import background, jittered, shape, styled, tinted
from training.words import (
    ADJECTIVES,
    BIG,
    COLOURS,
    PREFIXES,
    RELATIONS,
    SCENES,
    SMALL,
    STYLES,
    SUFFIXES,
    SYNONYMS,
    Vocabulary,
)

# Drawn at twice the size and reduced, which makes edges smooth.
OVERSAMPLING = 2

# An object is near the middle and fills about three quarters. If it could be anywhere, a model of this size would spend
# its short training on positions and draw blobs. Leaning and moving it a little is what another seed varies.
SIZES, SMALL_BELOW, BIG_ABOVE = (0.67, 0.84), 0.71, 0.80
FREEDOM = 0.3
LEAN_DEGREES = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    word: str
    colour: str | None = None
    size: float = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a picture shows; `background` is a colour, a scene, "neutral", or None for something photo-like."""

    subjects: tuple[Subject, ...] = ()
    relation: str | None = None
    background: str | None = "white"
    background_named: bool = True
    style: str | None = None
    style_alone: bool = False


@cache
def _sprites() -> dict[str, list[Image.Image]]:
    return sprites.load()


def with_article(words: str) -> str:
    vowel = words[0] in "aeiou" and not words.startswith(("ufo", "uni"))
    return f"{'an' if vowel else 'a'} {words}"


def sampled(vocabulary: Vocabulary, rng: random.Random) -> Spec:
    """Sample what the next picture shows."""
    photo = rng.random() < 0.12
    behind = None if photo else rng.choice(list(SCENES)) if rng.random() < 0.42 else _plain_colour(rng)
    draw = rng.random()
    if draw < 0.05 and behind is not None:
        return Spec(background=behind)
    if draw < 0.17 and vocabulary.two_objects:
        pair = tuple(_subject(vocabulary, None, rng, 0.7, (0.36, 0.48)) for _ in range(2))
        if behind in {subject.colour for subject in pair}:
            behind = "neutral"
        named = behind not in (None, "neutral") and rng.random() < 0.6
        return Spec(subjects=pair, relation=rng.choice(RELATIONS), background=behind, background_named=named)
    spec = Spec(
        subjects=(_subject(vocabulary, behind, rng, 0.5, SIZES),),
        background=behind,
        background_named=behind is not None and rng.random() < 0.80,
    )
    if rng.random() < 0.12:
        return replace(spec, style=rng.choice(list(STYLES)), style_alone=rng.random() < 0.2)
    return spec


def _plain_colour(rng: random.Random) -> str:
    return rng.choice(list(COLOURS)) if rng.random() < 0.8 else "white"


def _subject(
    vocabulary: Vocabulary,
    behind: str | None,
    rng: random.Random,
    coloured: float,
    sizes: tuple[float, float],
) -> Subject:
    word = rng.choice(vocabulary.objects)
    colour = None
    if word in vocabulary.shapes or rng.random() < coloured:
        colour = rng.choice([name for name in COLOURS if name != behind])
    return Subject(word=word, colour=colour, size=rng.uniform(*sizes))


def caption(spec: Spec, rng: random.Random | None = None) -> str:
    """Describe a picture: without `rng` plainly, as in the evaluation; with it, in the many ways that people do."""
    if rng is not None and spec.style is not None and spec.style_alone:
        return rng.choice(STYLES[spec.style][1])
    said = f" {spec.relation} ".join(_name(subject, rng) for subject in spec.subjects)
    if spec.background_named and spec.background is not None:
        said = (said + _where(spec.background, rng)) if said else _alone(spec.background)
    if spec.style is not None:
        templates = STYLES[spec.style][0]
        return (rng.choice(templates) if rng else templates[0]).format(said)
    if rng is not None and rng.random() < 0.15:
        said = f"{rng.choice(PREFIXES)} {said}"
    if rng is not None and rng.random() < 0.15:
        said = ", ".join((said, *rng.sample(SUFFIXES, rng.randint(1, 2))))
    return said


def _name(subject: Subject, rng: random.Random | None) -> str:
    word, adjectives = subject.word, []
    if rng is not None:
        if word in SYNONYMS and rng.random() < 0.15:
            word = rng.choice(SYNONYMS[word])
        if rng.random() < 0.10:
            adjectives.append(rng.choice(ADJECTIVES))
        if rng.random() < 0.3 and not SMALL_BELOW <= subject.size <= BIG_ABOVE:
            adjectives.append(rng.choice(BIG if subject.size > BIG_ABOVE else SMALL))
    if subject.colour is not None:
        adjectives.append(subject.colour)
    words = " ".join((*adjectives, word))
    return words if rng is not None and rng.random() < 0.25 else with_article(words)


def _where(word: str, rng: random.Random | None) -> str:
    if word in SCENES:
        phrases = SCENES[word][0]
        return f" {rng.choice(phrases) if rng else phrases[0]}"
    ways = (f" on {with_article(word)} background", f" on {word}", f", {word} background")
    return rng.choice(ways) if rng else ways[0]


def _alone(word: str) -> str:
    return SCENES[word][1] if word in SCENES else f"{with_article(word)} background"


def drawn(spec: Spec, size: tuple[int, int], rng: random.Random, *, art_sets: int = 1) -> Image.Image:
    """Draw a picture of `size` (width, height) in pixels."""
    large = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    image = background(spec.background, large, rng)
    for subject, (x, y, freedom) in zip(spec.subjects, _places(spec.relation, rng), strict=False):
        _paste(image, subject, (x, y), freedom, rng, art_sets)
    if spec.style is not None:
        image = styled(image, spec.style)
    return image.resize(size, Image.Resampling.LANCZOS)


def _places(relation: str | None, rng: random.Random) -> list[tuple[float, float, float]]:
    """Return centres as fractions of the canvas, and the fraction of the free margin by which they may deviate."""
    if relation is None:
        return [(0.5, 0.5, FREEDOM)]
    near, far, middle = 0.27, 0.73, rng.uniform(0.4, 0.6)
    if relation in ("above", "below"):
        places = [(middle, near, 0.0), (middle, far, 0.0)]
        return places if relation == "above" else places[::-1]
    places = [(near, middle, 0.0), (far, middle, 0.0)]
    return places[::-1] if relation == "right of" else places


def _paste(
    image: Image.Image,
    subject: Subject,
    centre: tuple[float, float],
    freedom: float,
    rng: random.Random,
    art_sets: int,
) -> None:
    colour = jittered(COLOURS[subject.colour], rng) if subject.colour else None
    pictures = _sprites().get(subject.word)
    if pictures is None:
        picture = shape(subject.word, colour or COLOURS["red"])
    else:
        picture = rng.choice(pictures[:art_sets])
        picture = tinted(picture, colour) if colour else picture
    side = round(min(image.size) * subject.size)
    picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    picture = picture.rotate(rng.uniform(-1, 1) * LEAN_DEGREES, Image.Resampling.BICUBIC, expand=True)
    corner = [
        round(share * extent - drawn / 2 + rng.uniform(-1, 1) * freedom * (extent - side) / 2)
        for share, extent, drawn in zip(centre, image.size, picture.size, strict=True)
    ]
    image.paste(picture, (corner[0], corner[1]), picture)
