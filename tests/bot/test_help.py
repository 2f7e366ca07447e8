"""The help fits into one message, whatever the operator offers."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.help import help_text
from bot.replies import fitting
from tests.bot.jobs_made import make_origin


def client_with(add_ons: int) -> Any:
    model = SimpleNamespace(title="Stable Diffusion XL Turbo", summary="x" * 100, folder=None, is_demo=False)
    adapters = [SimpleNamespace(name=f"adapter-{n}", trigger="in the style of ada") for n in range(add_ons)]
    embeddings = [SimpleNamespace(word=f"<word-{n}>", title=f"The word {n}") for n in range(add_ons)]
    shelf = SimpleNamespace(adapters=lambda _: adapters, embeddings=lambda _: embeddings)
    orders = SimpleNamespace(model_for=lambda _: model)
    return SimpleNamespace(user=SimpleNamespace(mention=f"<@{10**18}>"), orders=orders, shelf=shelf)


@pytest.mark.parametrize("is_elsewhere", [False, True])
@pytest.mark.parametrize(("add_ons", "end"), [(8, "`adapter-7` (write *in the style of ada*)"), (100, " and 92 more")])
def test_many_add_ons_leave_room_for_the_rest(add_ons: int, end: str, is_elsewhere: bool) -> None:
    text = help_text(client_with(add_ons), make_origin(is_elsewhere=is_elsewhere))
    assert ("I'm not a member here" in text) is is_elsewhere
    assert fitting(text) == text
    assert sum(line.endswith(end) for line in text.split("\n")) >= 1
    for part in ("`adapter-0`", "`<word-0>` (The word 0)", "`<word-7>`", "**Try**: ", "`/preferences`"):
        assert part in text
