"""Weights in a prompt: what counts as one, and what is text that looks like one."""

import pytest

from generation.prompt_weights import Fragment, fragments_of


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red fox", [Fragment("a red fox")]),
        ("", [Fragment("")]),
        ("a (red:1.3) fox", [Fragment("a"), Fragment("red", 1.3), Fragment("fox")]),
        ("(a red fox: .5)", [Fragment("a red fox", 0.5)]),
        ("(snow:0), a fox", [Fragment("snow", 0.0), Fragment(", a fox")]),
        ("a (fox:9)", [Fragment("a"), Fragment("fox", 2.0)]),
        ("a fox (red)", [Fragment("a fox (red)")]),
        ("a fox (at 12:30 o'clock)", [Fragment("a fox (at 12:30 o'clock)")]),
        ("a fox (:1.2) (red:high)", [Fragment("a fox (:1.2) (red:high)")]),
        (r"a \(red:1.3) fox", [Fragment("a (red:1.3) fox")]),
        ("((red:1.2):1.3)", [Fragment("("), Fragment("red", 1.2), Fragment(":1.3)")]),
    ],
)
def test_a_prompt_is_taken_apart(prompt: str, expected: list[Fragment]) -> None:
    assert fragments_of(prompt) == expected
