"""Every answer fits into one Discord message and reads well, whatever it has to count, list or repeat."""

import pytest

from bot.errors import Refused
from bot.orders.allowances import NO_LIMIT
from bot.orders.tables import limits_table
from bot.privacy.cards import Retention, kept_text
from bot.replies import error_sentence, fitting, with_typed_prompt
from bot.storage.member_data import Kind
from bot.storage.role_limits import RoleLimit
from generation.errors import ModelUnavailable

MAX_CHARACTERS = 2000


def test_a_list_is_cut_at_the_end_of_a_line() -> None:
    limit = RoleLimit(cooldown_seconds=60, daily_budget_seconds=3600)
    whole = limits_table(2, {10**18 + number: limit for number in range(100)}, NO_LIMIT)
    text = fitting(whole)
    assert len(text) <= MAX_CHARACTERS
    *kept, last = text.split("\n")
    assert kept == whole.split("\n")[: len(kept)]
    assert last == f"… and {101 - len(kept)} more"


def test_what_fits_is_left_as_it_is_and_one_long_line_is_cut_anywhere() -> None:
    assert fitting("x\n" * 1000) == "x\n" * 1000
    assert fitting("x" * 2001) == "x" * 1999 + "…"


def test_a_refusal_leaves_room_for_the_prompt_that_it_gives_back() -> None:
    prompt = "p" * 1500
    text = with_typed_prompt("s" * 3000, prompt)
    assert len(text) <= MAX_CHARACTERS
    assert text.endswith(f"s…\n```\n{prompt}\n```")
    assert with_typed_prompt("No.", "") == "No."


def test_an_unknown_model_is_repeated_as_text() -> None:
    sentence = error_sentence(ModelUnavailable("**[x](https://example.com)** " * 9, "unknown", known=["my_own_model"]))
    assert sentence is not None
    assert sentence.startswith("There is no model called \\*\\*")
    assert "://" not in sentence
    assert sentence.endswith("… here. Please choose my\\_own\\_model.")


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (Refused("not_understood", option="seed", value="`x`"), "`seed 'x'`"),
        (Refused("no_words", text="***"), "“\\*\\*\\*”"),
        (Refused("not_an_option", text="<t:0:R> __x__"), "“<\u200bt:0:R> \\_\\_x\\_\\_”"),
    ],
)
def test_what_was_not_understood_is_repeated_as_text(refused: Refused, words: str) -> None:
    assert words in (error_sentence(refused) or "")


@pytest.mark.parametrize("reason", ["queue_full", "server_queue_full", "member_queue_full"])
def test_one_is_no_plural(reason: str) -> None:
    assert " 1 request in " in (error_sentence(Refused(reason, max_waiting=1)) or "")
    assert " 2 requests in " in (error_sentence(Refused(reason, max_waiting=2)) or "")


def test_one_day_is_no_plural() -> None:
    text = kept_text(dict.fromkeys(Kind, 1), Retention(1.0, 1.0), is_remixed=True)
    for words in ("**1** request:", " 1 day after", " 1 hour after", "**1** entry in"):
        assert words in text
    text = kept_text(dict.fromkeys(Kind, 0), Retention(0.5, 30.0), is_remixed=True)
    for words in ("**0** requests:", " 30 days after", " 0.5 hours after", "**0** entries in"):
        assert words in text


def test_a_limit_has_no_fraction_that_it_does_not_have() -> None:
    past = {"layer": "server", "name": "strength"}
    assert "limit for strength here is 1 " in (error_sentence(Refused("past_limit", limit=1.0, **past)) or "")
    assert "limit for strength here is 0.55 " in (error_sentence(Refused("past_limit", limit=0.55, **past)) or "")
