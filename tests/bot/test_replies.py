"""Every answer fits into one message of Discord's, whatever it has to list or to repeat."""

from bot.orders.allowances import NO_LIMIT
from bot.replies import fitting, limits_table, with_typed_prompt
from bot.storage.role_limits import RoleLimit

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
