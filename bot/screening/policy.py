"""Turns a verdict, a server's policy and the channel into a decision: allow, spoiler or block."""

from enum import IntEnum

from bot.storage.policies import Policy
from generation.safety.verdict import Label, Verdict

MAX_OPEN_SCORE = 0.95  # where minors may be present, no server can switch the check off
# If the words mention a minor, a picture is blocked from this score on, regardless of channel and policy.
MINOR_BLOCK_SCORE = 0.5


class Decision(IntEnum):
    """What happens to a picture; larger values are stricter."""

    ALLOW = 0
    SPOILER = 1
    BLOCK = 2


def prompt_refusal(words: Verdict, *, is_age_restricted: bool) -> str | None:
    """Return the reason to refuse a prompt, or None."""
    if words.has(Label.SEXUAL_MINOR):
        return "words_forbidden"
    if words.has(Label.TERM):
        return "words_not_wanted"
    if words.has(Label.SEXUAL) and not is_age_restricted:
        return "words_sexual"
    return None


def decide_picture(picture: Verdict, words: Verdict, policy: Policy, *, is_age_restricted: bool) -> Decision:
    """Decide about a picture whose prompt has the verdict ``words``."""
    score = picture.score(Label.NSFW)
    if words.has(Label.MINOR) and score >= MINOR_BLOCK_SCORE:
        return Decision.BLOCK
    if is_age_restricted:
        block_from, spoiler_from = policy.restricted_block_score, policy.restricted_spoiler_score
    else:
        block_from, spoiler_from = policy.block_score, policy.spoiler_score
    if score >= block_from:
        return Decision.BLOCK
    return Decision.SPOILER if score >= spoiler_from else Decision.ALLOW
