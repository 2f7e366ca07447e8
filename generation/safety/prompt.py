"""What the words of a request say: sexual, about minors, both, or on a server's own list."""

import itertools
import re
from collections.abc import Iterable
from functools import cache, lru_cache

from generation.prompt_weights import without_weights
from generation.safety import terms
from generation.safety.folding import fold, readings, spelt_out, with_runs_of_at_most
from generation.safety.verdict import Label, Verdict

MAX_TERM_CHARACTERS = 60
# Scripts without spaces between words, and symbols: there are no word boundaries to look for.
_UNSPACED = re.compile(r"[^\w\s]|[぀-ヿ㐀-鿿ᄀ-ᇿ가-힯฀-๿]")
_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
_AGE = rf"(?:1[0-7]|0?[1-9]|{_NUMBERS})"
_OLD = r"(?:year|yr)s?[\W_]*olds?|years?[\W_]*of[\W_]*age|y[\W_]*o|" + "|".join(
    map(fold, ("jahre alt", "años", "ans", "anni", "jaar", "år", "lat", "лет", "год", "года", "yaşında", "साल"))
)
_CLASSIFIER = "|".join(map(fold, ("歳", "岁", "さい", "살", "세", "jährig")))
_MINOR_AGE = re.compile(
    rf"(?<!\w){_AGE}[\W_]*(?:{_OLD})(?!\w)"
    rf"|(?<!\w)(?:aged?|age[\W_]+of|is|turning)[\W_]+{_AGE}(?!\w)(?![\W_]*(?:th|%|m|x))"
    rf"|(?<!\w){_AGE}[\W_]*(?:{_CLASSIFIER})"
    r"|(?<!\w)(?:[1-9]|1[0-2])(?:st|nd|rd|th)[\W_]*grad(?:e|er|ers)(?!\w)"
)
# It may also be the age of a beard or a cheese.
_SMALL_AGE = re.compile(r"(?<!\w)\d{1,2}[\W_]*(?:month|week|day)s?[\W_]*old(?!\w)")


def check_prompt(prompt: str, negative_prompt: str = "", *, server_terms: Iterable[str] = ()) -> Verdict:
    """Return the verdict on a prompt; every label has the score 1 or 0.

    The negative prompt counts only where it reverses the meaning of the rest: no clothes and a minor, or no adults and
    sexual. ``server_terms`` are looked for in both prompts, because both are shown.
    """
    text, unwanted = _Text(_with_what_is_read(prompt)), _Text(_with_what_is_read(negative_prompt))
    listed = _matcher(tuple(sorted(server_terms)))
    found = {
        Label.SEXUAL: text.has(_built_in(terms.SEXUAL)),
        Label.SUGGESTIVE: text.has(_built_in(terms.SUGGESTIVE)),
        Label.MINOR: text.has(_built_in(terms.MINOR)) or text.reads(_MINOR_AGE),
        Label.TERM: text.has(listed) or unwanted.has(listed),
    }
    sexual = found[Label.SEXUAL] or found[Label.SUGGESTIVE] or unwanted.has(_built_in(terms.DRESSED))
    may_be_minor = text.has(_built_in(terms.YOUNG)) or text.reads(_SMALL_AGE) or unwanted.has(_built_in(terms.GROWN_UP))
    minor = found[Label.MINOR] or (found[Label.SEXUAL] and may_be_minor)
    found[Label.SEXUAL_MINOR] = (sexual and minor) or text.has(_built_in(terms.SEXUAL_MINOR))
    return Verdict({label: 1.0 for label, is_there in found.items() if is_there})


def is_term(term: str) -> bool:
    """Tell whether a text can be a server's term: something must remain of it after folding."""
    return len(term) <= MAX_TERM_CHARACTERS and re.search(r"\w", fold(term)) is not None


def _with_what_is_read(prompt: str) -> str:
    """Return a prompt, followed by what the model reads where a weight splits a word."""
    read = without_weights(prompt)
    return prompt if read == prompt else f"{prompt}\n{read}"


class _Text:
    """A text in all its readings."""

    def __init__(self, text: str) -> None:
        self._folded = fold(text)
        self._readings = readings(_harmless().sub(" ", self._folded))
        self._spelt_out = spelt_out(self._folded)

    def has(self, matcher: "_Matcher") -> bool:
        return any(map(matcher.in_text, self._readings)) or any(map(matcher.in_word, self._spelt_out))

    def reads(self, pattern: re.Pattern[str]) -> bool:
        return pattern.search(self._folded) is not None


class _Matcher:
    """Search for terms as whole words, with any letter repeated and with plural endings."""

    def __init__(self, wanted: tuple[str, ...]) -> None:
        folded = sorted({fold(term).strip() for term in wanted} - {""})
        self._pattern = _pattern(folded)
        # Among single letters, word boundaries are unknown, and short terms would match anywhere.
        whole = [term.replace(" ", "") for term in folded if not _UNSPACED.search(term)]
        anywhere = "|".join(_loose_pattern(term) for term in whole if len(term) >= 4)
        at_an_end = "|".join(_loose_pattern(term) for term in whole if len(term) < 4)
        parts = [f"(?:{anywhere})"] if anywhere else []
        parts += [f"^(?:{at_an_end})|(?:{at_an_end})$"] if at_an_end else []
        self._spelt_out = re.compile("|".join(parts) or r"(?!)")
        self._longest_run = max((len(list(run)) for term in whole for _, run in itertools.groupby(term)), default=1)

    def in_text(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def in_word(self, word: str) -> bool:
        # A longer run of a letter than in any term adds no information, but a match could start at each letter of it,
        # so the patterns would scan a long run once per letter.
        return self._spelt_out.search(with_runs_of_at_most(self._longest_run, word)) is not None


def _pattern(folded: Iterable[str]) -> re.Pattern[str]:
    spaced = [term for term in folded if not _UNSPACED.search(term)]
    unspaced = [term for term in folded if _UNSPACED.search(term)]
    words = "|".join(map(_loose_pattern, spaced))
    parts = [rf"(?<!\w)(?:{words})(?:'?s|es)?(?!\w)"] if spaced else []
    parts.extend(re.escape(term) for term in unspaced)
    return re.compile("|".join(parts) or r"(?!)")


def _loose_pattern(term: str) -> str:
    """Return a pattern in which every letter may be repeated and words are separated by anything but letters.

    A doubled letter is one part of the pattern: as two parts, they could divide a long run in too many ways.
    """
    return r"[\W_]+".join(
        "".join(rf"{re.escape(letter)}{{{len(list(run))},}}" for letter, run in itertools.groupby(word))
        for word in term.split()
    )


def _terms_in(text: str) -> tuple[str, ...]:
    return tuple(term for term in (fold(part).strip() for part in text.split(",")) if term)


@lru_cache(maxsize=256)
def _matcher(wanted: tuple[str, ...]) -> _Matcher:
    return _Matcher(wanted)


# The lists are long, and every prompt is compared with all of them. Folding and compiling them for each prompt took
# more than ten times as long as the comparison, on the event loop.
@cache
def _built_in(text: str) -> _Matcher:
    return _Matcher(_terms_in(text))


@cache
def _harmless() -> re.Pattern[str]:
    return _pattern(_terms_in(terms.HARMLESS))
