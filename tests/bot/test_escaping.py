"""User text has no effect where the bot repeats it."""

import pytest

from bot.escaping import escape_code, escape_text


@pytest.mark.parametrize(
    "text",
    [
        "a cat https://example.com/a_b",
        "[a](HTTP://example.com)",
        "discord.gg/abc",
        "see DISCORD.GG/abc",
        "discord.com/invite/abc",
        "discordapp.com/invite/abc discord.gift/abc",
        "<#123456789012345678> </img2img:1> <t:0:R> <id:customize>",
        "<tel:+4912345678> <+4912345678> <ada@example.com> <mailto:ada@example.com>",
    ],
)
def test_nothing_is_a_link_or_more_than_text(text: str) -> None:
    shown = escape_text(text)
    for active in (
        "://",
        "discord.gg/",
        "discord.com/",
        "discordapp.com/",
        ".gift/",
        "<#",
        "</",
        "<t",
        "<id:",
        "<+",
        "<a",
        "<m",
    ):
        assert active not in shown.lower()
    assert shown.replace("\u200b", "").replace("\\", "") == text


def test_it_turns_no_words_around_but_its_own() -> None:
    assert escape_text("a \u202efox\u202c \u2067in snow\u2069") == "a fox in snow"
    assert escape_text("ثعلب في الثلج") == "ثعلب في الثلج"


def test_it_is_one_line_and_no_longer_than_wanted() -> None:
    assert escape_text("a\n# b") == "a # b"
    assert escape_text("x" * 301) == "x" * 299 + "…"
    assert escape_text("x" * 81, 80) == "x" * 79 + "…"


def test_code_stays_code() -> None:
    assert escape_code("`a` **b**") == "'a' **b**"
    assert escape_code("0.5\u202e") == "0.5"
