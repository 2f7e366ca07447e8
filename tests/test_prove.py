"""The proof about foreign pictures, on a handful of files: it must be able to fail, and to go on."""

from dataclasses import replace

import pytest

from generation.images.refusals import Refusal
from prove.foreign_pictures import Outcome, broken_promises, figures_of

GOOD = Outcome(
    name="somewhere good.png",
    sha256="0" * 64,
    format="PNG",
    refusal=None,
    sentence=None,
    seconds=0.1,
    child_mebibytes=100.0,
    reference_error="",
    is_same_size=True,
    difference=0.5,
)
REFUSED = replace(GOOD, refusal=Refusal.DAMAGED, sentence="This …", difference=None, is_same_size=None)


def test_good_figures_keep_every_promise() -> None:
    bomb = replace(REFUSED, reference_error="it cannot be read either")
    assert broken_promises(figures_of([*[GOOD] * 990, *[REFUSED] * 9, *[bomb] * 50])) == []


@pytest.mark.parametrize(
    ("outcome", "promise"),
    [
        (replace(REFUSED, refusal=Refusal.CRASHED), "no crash"),
        (replace(REFUSED, seconds=10.1), "nothing over 10 s"),
        (replace(GOOD, child_mebibytes=513.0), "a child of at most 512 MiB"),
        (replace(REFUSED, sentence=None), "a sentence for each refusal"),
        (replace(GOOD, difference=2.1), "all of them upright and in their colours"),
        (replace(GOOD, is_same_size=False), "all of them upright and in their colours"),
        (replace(REFUSED, name="own hungry avif"), "the largest pictures of every kind taken"),
    ],
)
def test_one_bad_file_breaks_its_promise(outcome: Outcome, promise: str) -> None:
    assert broken_promises(figures_of([*[GOOD] * 999, outcome])) == [promise]


def test_few_files_and_many_refusals_break_theirs() -> None:
    assert broken_promises(figures_of([GOOD] * 599)) == ["at least 600 foreign files"]
    assert broken_promises(figures_of([*[GOOD] * 980, *[REFUSED] * 11])) == ["99% of the valid pictures taken"]
