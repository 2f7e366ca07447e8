"""Normalizes text for word matching, undoing look-alike characters and other disguises."""

import itertools
import re
import unicodedata
from functools import cache

from confusable_homoglyphs.confusables import confusables_data

_LATIN = re.compile(r"LATIN (?:(?:SMALL|CAPITAL) LETTER ([A-Z])(?: WITH .*)?|LETTER SMALL CAPITAL ([A-Z]))$")
# Letters as symbols, which no Unicode normal form maps to letters: regional indicators, negative circled and squared.
_LETTER_SYMBOLS = (0x1F1E6, 0x1F150, 0x1F170)
# Letters and symbols that show nothing, whatever their category says: Hangul fillers, the blank Braille cell.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_MARK_THAT_FOLDS_TO_A_LETTER = "\u0345"  # the only one: an iota
_UNDERSCORES = str.maketrans("_", " ")
_ONE_AS_L = str.maketrans("013457@$!|", "oleastasil")
_ONE_AS_I = str.maketrans("013457@$!|", "oieastasii")
_INNER_MARKS = re.compile(r"(?<=\w)[-.,*'’·~+/\\()]+(?=\w)")
_SPELT_OUT = re.compile(r"(?<!\w)(?:\w[\W_]{1,3}){2,}\w(?!\w)")


def fold(text: str) -> str:
    """Return a text in lower case without accents, marks and invisible characters, with look-alikes as ASCII.

    It undoes compatibility forms (NFKC: full-width, mathematical letters), combining marks, invisible characters
    (zero-width, writing direction, controls, which tokenizers ignore), and whatever Unicode's list of confusables maps
    to an ASCII letter (https://www.unicode.org/reports/tr39/#Confusable_Detection, through ``confusable-homoglyphs``).
    White space of any length and kind becomes one space.
    """
    text = " ".join(text.split()).replace(_MARK_THAT_FOLDS_TO_A_LETTER, "")
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (character for character in decomposed if not _is_invisible(character))
    return "".join(map(_plain, kept)).translate(_UNDERSCORES)


def readings(text: str) -> tuple[str, ...]:
    """Return the ways to read a folded text: as it is, without punctuation inside words, with digits as letters."""
    joined = _INNER_MARKS.sub("", text)
    ways = (text, joined, joined.translate(_ONE_AS_I), joined.translate(_ONE_AS_L))
    return tuple(dict.fromkeys(ways))


def spelt_out(text: str) -> tuple[str, ...]:
    """Return the words in a folded text that are spelled letter by letter, joined up."""
    found = (re.sub(r"[\W_]", "", match[0]) for match in _SPELT_OUT.finditer(text))
    return tuple(reading for word in found for reading in readings(word))


def with_runs_of_at_most(count: int, word: str) -> str:
    """Return a word with runs of a character shortened to at most ``count``."""
    return "".join("".join(itertools.islice(run, count)) for _, run in itertools.groupby(word))


def _is_invisible(character: str) -> bool:
    return character in _BLANK or unicodedata.category(character) in ("Mn", "Me", "Cf", "Cc")


@cache
def _plain(character: str) -> str:
    """Return the ASCII letter or digit that a character looks like, or the character itself."""
    if character.isascii():
        return character
    for first in _LETTER_SYMBOLS:
        if first <= ord(character) < first + 26:
            return chr(ord("a") + ord(character) - first)
    for likeness in confusables_data.get(character, ()):
        if len(likeness["c"]) == 1 and likeness["c"].isascii() and likeness["c"].isalnum():
            return likeness["c"].casefold()
    if match := _LATIN.match(unicodedata.name(character, "")):
        return (match[1] or match[2]).lower()
    return character
