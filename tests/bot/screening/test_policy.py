"""From verdict, policy and channel to a decision."""

import pytest

from bot.screening.policy import MINOR_BLOCK_SCORE, Decision, decide_picture, prompt_refusal
from bot.storage.policies import DEFAULT_POLICY, Policy
from generation.safety.prompt import check_prompt
from generation.safety.verdict import Label, Verdict

HARMLESS = check_prompt("a cat on a beach")
OF_A_CHILD = check_prompt("a child with a kite")


def decision(score: float, policy: Policy = DEFAULT_POLICY, *, words: Verdict = HARMLESS, restricted: bool) -> Decision:
    return decide_picture(Verdict({Label.NSFW: score}), words, policy, is_age_restricted=restricted)


@pytest.mark.parametrize(
    ("score", "open_channel", "restricted_channel"),
    [
        (0.0, Decision.ALLOW, Decision.ALLOW),
        (0.59, Decision.ALLOW, Decision.ALLOW),
        (0.6, Decision.SPOILER, Decision.ALLOW),
        (0.79, Decision.SPOILER, Decision.ALLOW),
        (0.8, Decision.BLOCK, Decision.SPOILER),
        (0.999, Decision.BLOCK, Decision.SPOILER),
    ],
)
def test_the_defaults_are_stricter_outside_age_restricted_channels(
    score: float, open_channel: Decision, restricted_channel: Decision
) -> None:
    assert decision(score, restricted=False) is open_channel
    assert decision(score, restricted=True) is restricted_channel


def test_a_server_decides_for_itself() -> None:
    strict = Policy(spoiler_score=0.1, block_score=0.2, restricted_spoiler_score=0.3, restricted_block_score=0.4)
    assert [decision(score, strict, restricted=False) for score in (0.05, 0.1, 0.2)] == list(Decision)
    assert [decision(score, strict, restricted=True) for score in (0.2, 0.3, 0.4)] == list(Decision)


@pytest.mark.parametrize("restricted", [False, True])
def test_with_a_minor_in_the_words_no_policy_helps(restricted: bool) -> None:
    lax = Policy(spoiler_score=1, block_score=1, restricted_spoiler_score=1, restricted_block_score=1)
    assert decision(MINOR_BLOCK_SCORE, lax, words=OF_A_CHILD, restricted=restricted) is Decision.BLOCK
    assert decision(0.3, lax, words=OF_A_CHILD, restricted=restricted) is Decision.ALLOW


@pytest.mark.parametrize(
    ("prompt", "terms", "open_channel", "restricted_channel"),
    [
        ("a cat", [], None, None),
        ("a nude person", [], "words_sexual", None),
        ("a sexy person", [], None, None),
        ("a pickle", ["pickle"], "words_not_wanted", "words_not_wanted"),
        ("a nude child", [], "words_forbidden", "words_forbidden"),
        ("a child", [], None, None),
    ],
)
def test_words(prompt: str, terms: list[str], open_channel: str | None, restricted_channel: str | None) -> None:
    words = check_prompt(prompt, server_terms=terms)
    assert prompt_refusal(words, is_age_restricted=False) == open_channel
    assert prompt_refusal(words, is_age_restricted=True) == restricted_channel
