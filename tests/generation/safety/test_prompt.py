"""The words of a request: what is found however it is spelled, and what is left alone."""

import random
import re
from itertools import groupby

import pytest

from generation.safety import terms
from generation.safety.folding import fold
from generation.safety.prompt import _Matcher, _terms_in, check_prompt, is_term
from generation.safety.verdict import Label


def labels(prompt: str, negative_prompt: str = "", **more: list[str]) -> set[Label]:
    return set(check_prompt(prompt, negative_prompt, **more).scores)


@pytest.mark.parametrize(
    "prompt",
    [
        "a nude woman",
        "a NUDE woman",
        "ｎｕｄｅ",  # full width
        "𝓷𝓾𝓭𝓮",  # mathematical letters
        "nudе",  # a Cyrillic letter
        "ɴᴜᴅᴇ",  # small capitals
        "🅽🆄🅳🅴",
        "🇳🇺🇩🇪",
        "n\u200bu\u200dde",  # zero width
        "nu\x01de",  # a control character, which tokenizers ignore
        "nu\u0345de",  # a combining mark that case folding turns into a letter
        "nu\u3164de",  # an invisible letter
        "n    u    d    e",
        "\u202enude\u202c",  # writing direction
        "nu\u0301d\u0336e",  # combining marks
        "nüde",
        "nuuuudeee",
        "n u d e",
        "a person, n.u.d.e, outside",
        "n-u*d_e",
        "nude_girl",
        "nu-de",
        "nud3",
        "$3x",
        "p0rn",
        "ⓝ⒰ⓓⓔ",
        "n n u u u d e e",
        "a (nu:1.1)de woman",
        "a nu(de:0.9) woman",
        "a (nude:1.3) woman",
        "p_p_o_o_o_r_r_n_n",
        "голая женщина",
        "裸の女性",
        "누드",
    ],
)
def test_a_word_is_found_however_it_is_written(prompt: str) -> None:
    assert Label.SEXUAL in labels(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat on a beach",
        "grapes and raisins in a glass",
        "the county of Essex in spring",
        "a therapist in Scunthorpe",
        "cumin soup",
        "analysis of a classic car",
        "a cockatoo, a titmouse and a bass",
        "H E L L O",
        "مرحبا بالعالم",
        "猫",
        "y" * 1500,
        "blue tits in winter",
        "a bottomless pit",
        "summa cum laude",
        "fromage râpé",
        "حفل نكاح",
    ],
)
def test_harmless_words_are_left_alone(prompt: str) -> None:
    assert labels(prompt) == set()


@pytest.mark.parametrize(
    "prompt",
    [
        "a nude child",
        "child, nude",
        "a sexy 12-year-old girl",
        "sexy schoolgirl",
        "naked, age 16",
        "17yo in lingerie",
        "eleven years old, topless",
        "a k1d in pant1es",
        "n u d e  t e e n",
        "nude 👧",
        "loli",
        "голая, 12 лет",
        "裸 14歳",
        "누드 15살",
        "niña desnuda",
        "a nude boy",
        "g1rls, n a k e d",
        "a kid wearing nothing",
        "a kid with clothes removed",
        "nude 8th grader",
        "nude, 18 months old",
        "nackte 13-jährige",
        "ein nacktes Kind",
        "una ragazza di 15 anni, nuda",
        "lycéenne nue",
        "menor de idade nua",
        "голый подросток",
        "여중생 누드",
        "小女孩 裸体",
        "مراهقة عارية",
    ],
)
def test_sexual_and_minor_together_are_found(prompt: str) -> None:
    assert Label.SEXUAL_MINOR in labels(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "a child with a kite",
        "a baby dragon",
        "a girl in a bikini, 25 years old",
        "nude, 112 years old",
        "a man aged 45 in a bikini",
        "a same-sex couple with their child",
        "a kind woman in underwear",
        "a girl in stockings kissing a boy",
        "a nude cowgirl",
        "sexy lady, 5 years ago",
        "a high school musical, sexy",
        "a comic strip for kids",
        "children and stockings on the fireplace",
        "chicken breast for kids",
        "a nursery for babies with exposed brick",
        "a marble bust of a boy",
        "a shirtless man with a 3 month old beard",
    ],
)
def test_one_without_the_other_is_no_such_thing(prompt: str) -> None:
    assert Label.SEXUAL_MINOR not in labels(prompt)


@pytest.mark.parametrize("prompt", ["child, strip off her shirt", "child in stockings on the bed"])
def test_what_is_nearly_harmless_is_not(prompt: str) -> None:
    assert Label.SEXUAL_MINOR in labels(prompt)


def test_a_negative_prompt_counts_where_it_turns_the_rest_round() -> None:
    assert Label.SEXUAL_MINOR in labels("a child in a garden", "clothes")
    assert Label.SEXUAL_MINOR in labels("a nude person", "adult")
    assert labels("a child in a garden", "nude, blurry") == {Label.MINOR}
    assert labels("a person", "clothes") == set()


def test_a_server_adds_its_own_words() -> None:
    assert labels("a PICKLE on a plate", server_terms=["pickle"]) == {Label.TERM}
    assert labels("two pickles", server_terms=["pickle"]) == {Label.TERM}
    assert labels("a plate", "pickles", server_terms=["pickle"]) == {Label.TERM}
    assert labels("a pi¢kle", server_terms=["pickle"]) == set()  # not a confusable according to Unicode
    assert labels("a red  hot\npepper", server_terms=["red hot"]) == {Label.TERM}
    assert labels("the pickled cucumber", server_terms=["pickle"]) == set()
    assert labels("a therapist", server_terms=["the rapist"]) == set()
    assert labels("ПРИВЕТ", server_terms=["привет"]) == {Label.TERM}
    assert labels("1.5 (a+b)*", server_terms=["(a+b)*"]) == {Label.TERM}


def test_a_term_has_letters_and_a_bound() -> None:
    assert is_term("pickle")
    assert is_term("ロリ")
    assert not is_term(" \u200b. ")
    assert not is_term("x" * 61)


@pytest.mark.parametrize("letters", ["s", "ss ", "s s ", "a.b.", "n-u-", "see ", "1", "12 ", "!", "ก", "\u0301", "👧"])
def test_no_text_takes_long(letters: str) -> None:
    """No clock is needed: with catastrophic backtracking the test would not end in any acceptable time.

    A prompt of 1,500 characters is the longest that is accepted.
    """
    check_prompt(letters * 1500, letters * 500, server_terms=["ssss sss", "ss ss ss ss", "aaaa"])


class CountingPattern:
    """Counts how much a search may read: a run of one letter once per letter, because a match may start at each."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern, self.read = pattern, 0

    def search(self, word: str) -> re.Match[str] | None:
        self.read += sum(len(list(run)) ** 2 for _, run in groupby(word))
        return self._pattern.search(word)


@pytest.mark.parametrize("wanted", [*_terms_in(terms.SEXUAL), "ssss sss", "ss ss ss ss", "aaaa"])
def test_a_letter_repeated_for_long_is_not_read_again_and_again(wanted: str) -> None:
    """For every single term, the matches are the same as in the unshortened text."""
    matcher = _Matcher((wanted,))
    pattern = matcher._spelt_out
    counting = CountingPattern(pattern)
    matcher._spelt_out = counting  # pyright: ignore[reportAttributeAccessIssue] - it stands in for a pattern
    letters = [*sorted(set(wanted.replace(" ", ""))), "e"]
    picked = random.Random(wanted)
    longest = max(len(list(run)) for _, run in groupby(wanted.replace(" ", "")))
    for _ in range(20):
        word = "".join(picked.choice(letters) * picked.choice((1, 2, 3, 400)) for _ in range(picked.randint(1, 8)))
        counting.read = 0
        assert matcher.in_word(word) is (pattern.search(word) is not None)
        assert counting.read <= longest * len(word)
    stretched = "".join(letter * 50 for letter in wanted.replace(" ", ""))
    assert matcher.in_word(stretched) is (pattern.search(stretched) is not None)


def test_folding_is_stable() -> None:
    for text in ("ÀÉÎ", "ﬁne", "Ω", "ПРИВЕТ", "ヌード", "𝓷𝓾𝓭𝓮", "İstanbul"):
        assert fold(fold(text)) == fold(text)
