"""Texts that were made or damaged to break their readers neither raise nor cost more than milliseconds."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from generation.images.recipes.comfyui import COMFYUI_KEY, of_comfyui
from generation.images.recipes.comfyui_graph import MAX_LOOKS, Graph
from generation.images.recipes.novelai import NOVELAI_KEY
from generation.images.recipes.reading import read_recipe
from generation.images.texts import COMMENT_KEY, MAX_TEXT_BYTES, TEXT_KEY
from tests.generation.images.recipes.test_comfyui import PARTS, WORDS, link, node, sampler
from tests.generation.images.recipes.test_records import FOOOCUS, NOVELAI, SWARMUI

TEXTS: dict[str, tuple[str, Any]] = {
    "words": (COMFYUI_KEY, WORDS),
    "parts": (COMFYUI_KEY, PARTS),
    "swarmui": (TEXT_KEY, {"sui_image_params": SWARMUI}),
    "fooocus": (COMMENT_KEY, FOOOCUS),
    "novelai": (NOVELAI_KEY, NOVELAI),
}


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a value with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_in(value[key])


@pytest.mark.parametrize("name", TEXTS)
def test_values_may_be_exchanged_with_any_others(name: str) -> None:
    key, good = TEXTS[name]
    chance = random.Random(name)
    odd = (None, True, [], {}, "", -1, 10**400, 1e308, float("nan"), [[]], [{}, 0], link("nowhere"))
    for _ in range(1_000):
        damaged = json.loads(json.dumps(good))
        for _ in range(chance.randint(1, 6)):
            places = list(places_in(damaged))
            if places:
                (container, place), (other, inner) = chance.sample([*places, places[0]], 2)
                container[place] = json.loads(json.dumps(chance.choice((other[inner], link(str(inner)), *odd))))
        read_recipe({key: json.dumps(damaged)})


@pytest.mark.parametrize("name", TEXTS)
def test_letters_may_be_exchanged_with_any_others(name: str) -> None:
    key, good = TEXTS[name]
    text, chance = json.dumps(good), random.Random(name)
    for _ in range(2_000):
        letters = list(text)
        for _ in range(chance.randint(1, 6)):
            letters[chance.randrange(len(letters))] = chance.choice('{}[]",:0e-\\u \0\ud800')
        read_recipe({key: "".join(letters)})
        read_recipe({key: text[: chance.randrange(len(text))]})


def circle(count: int) -> dict[str, Any]:
    """Return samplers of which each continues the next one's picture."""
    return {str(n): sampler(latent_image=link(str((n + 1) % count))) for n in range(count)}


def chain(count: int) -> dict[str, Any]:
    return {"s": sampler(positive=link("0"), model=link("0"), latent_image=link("0"))} | {
        str(n): node("Pass", conditioning=link(str(n + 1)), model=link(str(n + 1))) for n in range(count)
    }


def doubling(count: int) -> dict[str, Any]:
    """Return texts of which each is the next one twice, so that the first would have 2**count letters."""
    texts = {
        str(n): node("StringConcatenate", string_a=link(str(n + 1)), string_b=link(str(n + 1)), delimiter="x")
        for n in range(count)
    }
    return {"s": sampler(positive=link("0"))} | texts


def fans(count: int) -> dict[str, Any]:
    """Return samplers of which each is further from the one before than a node with very many links."""
    samplers = {str(n): sampler(latent_image=link(f"a{n}")) for n in range(count)}
    near = {f"a{n}": node("A", fan=link("fan"), far=link(f"b{n}")) for n in range(count)}
    far = {f"b{n}": node("B", samples=link(str(n + 1))) for n in range(count)}
    return samplers | near | far | {"fan": node("Fan", **{f"i{n}": link("fan") for n in range(1_000)})}


@pytest.mark.parametrize(
    "graph",
    [
        circle(150),
        {"1": sampler(**dict.fromkeys(("positive", "negative", "model", "latent_image", "steps", "cfg"), link("1")))},
        chain(600),
        doubling(400),
        fans(80),
        {"a": node("A", value=link("a")), "s": sampler(steps=link("a"), cfg=link("a"), positive=link("a"))},
    ],
    ids=["circle", "itself", "chain", "doubling", "fans", "value of itself"],
)
def test_a_graph_is_followed_for_a_limited_distance(graph: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = Graph.node

    def counted(self: Graph, value: object) -> object:
        nonlocal looks
        looks += 1
        return look(self, value)

    monkeypatch.setattr(Graph, "node", counted)
    text = json.dumps(graph)
    assert len(text) < MAX_TEXT_BYTES * 5 / 4  # hardly more than is read from a file
    of_comfyui(text)
    assert 0 < looks < 2 * MAX_LOOKS
