"""What people say around a request, or instead of one, that is not meant as a prompt."""

import re

from generation.strength_ladder import LADDER


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, lower-cased."""
    return frozenset(re.findall(r"\w+", text.lower()))


# For members without a feeling for the number: how far to go, or a ladder to choose from.
STRENGTH_WORDS = {
    "subtle": 0.3,
    "low": 0.3,
    "weak": 0.3,
    "balanced": 0.6,
    "medium": 0.6,
    "strong": 0.9,
    "high": 0.9,
    LADDER: LADDER,
}
_HELP = frozenset(("help", "/help", "?"))
_GREETINGS = words_of("hello hey heya hi hiya howdy yo")
_BESIDE_GREETINGS = words_of("again all bot everyone folks guys palimpsest there you")
_SEED_QUESTION = words_of("a for give is it its me please s seed tell that the this use used was what whats which you")
_AGAIN = words_of("again another more once reroll repeat retry variation variations")
# Words around options: "please use seed 5", "same again, but with strength 0.8".
_FILLER_WORDS = words_of("and at but do give it just me now one please same set that the this to try use with")
# Comments on a picture: "thanks, so cool", or an emoji alone.
_REMARKS = words_of(
    "amazing awesome beautiful cool cute gorgeous great haha hahaha lmao lol love nice omg perfect thank thanks thx ty"
    " wow yay"
)
_REMARK_EMOJI = frozenset("👍👏🙏😍🤩🥰😂🤣💯❤")
_BESIDE_REMARK_EMOJI = frozenset("\N{VARIATION SELECTOR-16}🏻🏼🏽🏾🏿 ")  # variants of hearts and skin tones
# About a request or a result that is no longer wanted: "stop", "delete this please".
_CANCEL_WORDS = words_of("abort cancel delete remove stop")
_LARGER = words_of("enlarge upscale upscaled upscaling")
_BESIDE_LARGER = words_of("2x 4x and can it me please the this that picture you")
_BESIDE_CANCEL_WORDS = words_of("all can it my now one picture please pls that them these this you")
_BESIDE_REMARKS = words_of("bot i is it job much one so that this very work you")


def asks_for_help(text: str) -> bool:
    """Return whether a text only asks how to use the bot, or only says hello."""
    words = words_of(text)
    greets = bool(words & _GREETINGS) and words <= _GREETINGS | _BESIDE_GREETINGS
    return greets or text.strip().lower() in _HELP


def asks_for_seed(words: frozenset[str]) -> bool:
    """Return whether words ask for a picture's seed and nothing else."""
    return "seed" in words and words <= _SEED_QUESTION


def asks_again(words: frozenset[str]) -> bool:
    """Return whether words ask for another attempt at the same; only meaningful for filler words."""
    return bool(words & _AGAIN)


def is_filler(words: frozenset[str]) -> bool:
    """Return whether words are only filler around options."""
    return words != frozenset() and words <= _FILLER_WORDS | _AGAIN


def is_remark(text: str) -> bool:
    """Return whether a text only comments on a picture."""
    words, signs = words_of(text), frozenset(text.strip())
    if signs & _REMARK_EMOJI and signs <= _REMARK_EMOJI | _BESIDE_REMARK_EMOJI:
        return True
    return bool(words & _REMARKS) and words <= _REMARKS | _BESIDE_REMARKS


def asks_to_cancel(words: frozenset[str]) -> bool:
    """Return whether words only ask to cancel a request or to remove a picture."""
    return bool(words & _CANCEL_WORDS) and words <= _CANCEL_WORDS | _BESIDE_CANCEL_WORDS


def asks_to_enlarge(words: frozenset[str]) -> bool:
    """Return whether words only ask for the same picture with more pixels."""
    return bool(words & _LARGER) and words <= _LARGER | _BESIDE_LARGER
