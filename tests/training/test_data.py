"""The data generator: the same seed draws the same world, and every word in it is a single token."""

import json
import random

import numpy as np
import pytest

from training import tokenizer
from training.data import Spec, Subject, caption, drawn, sampled
from training.evaluation_set import composed, path
from training.tiers import TIER_A, TIER_B, Tier
from training.words import SCENES, STYLES, VOCABULARY_A, VOCABULARY_B


def _world(seed: int) -> list[tuple[str, bytes]]:
    rng = random.Random(seed)
    rows = []
    for _ in range(12):
        spec = sampled(VOCABULARY_B, rng)
        rows.append((caption(spec, rng), drawn(spec, (48, 64), rng, art_sets=2).tobytes()))
    return rows


def test_one_seed_draws_one_world() -> None:
    assert _world(7) == _world(7)
    assert _world(7) != _world(8)


def test_a_plain_caption_names_everything() -> None:
    spec = Spec(subjects=(Subject(word="apple", colour="orange"),), background="beach")
    assert caption(spec) == "an orange apple on a beach"
    assert caption(Spec(subjects=(Subject(word="cat"),), background="blue")) == "a cat on a blue background"
    assert caption(Spec(background="space")) == "outer space"


def test_a_drawn_colour_is_in_the_middle_of_the_picture() -> None:
    spec = Spec(subjects=(Subject(word="square", colour="red"),), background="white")
    pixels = np.asarray(drawn(spec, (64, 64), random.Random(1))).astype(int)
    red, green, blue = pixels[28:36, 28:36].mean((0, 1))
    assert red > 190
    assert max(green, blue) < 80
    assert pixels[0, 0].min() > 220


@pytest.mark.parametrize("style", STYLES)
def test_a_style_changes_the_picture(style: str) -> None:
    subjects = (Subject(word="cat"),)
    without = drawn(Spec(subjects=subjects), (64, 64), random.Random(1))
    styled = drawn(Spec(subjects=subjects, style=style), (64, 64), random.Random(1))
    assert np.abs(np.asarray(without).astype(int) - np.asarray(styled)).mean() > 5


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_fit_any_aspect_ratio(scene: str) -> None:
    picture = drawn(Spec(background=scene), (80, 48), random.Random(1))
    assert picture.size == (80, 48)
    assert np.asarray(picture).std() > 4


def test_every_caption_word_is_one_token() -> None:
    made = tokenizer.made(TIER_A)
    for word in tokenizer.caption_words():
        assert len(made(word)["input_ids"]) == 3, word
    assert len(made("sunglasses")["input_ids"]) > 3


@pytest.mark.parametrize("tier", [TIER_A, TIER_B])
def test_the_evaluation_set_is_the_one_that_its_seed_draws(tier: Tier) -> None:
    assert json.loads(path(tier).read_text()) == json.loads(json.dumps(composed(tier)))


def test_captions_never_overflow_the_text_encoder() -> None:
    made, rng = tokenizer.made(TIER_A), random.Random(3)
    assert max(len(made(caption(sampled(VOCABULARY_A, rng), rng))["input_ids"]) for _ in range(500)) <= 32
