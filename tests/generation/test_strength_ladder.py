"""A ladder of strengths: its rungs, and the request that carries it."""

from typing import Any

import pytest

from generation.errors import InvalidRequest
from generation.executors.messages import request_of, run_frame
from generation.requests import MAX_SEED
from generation.sentences import error_sentence
from generation.strength_ladder import RUNGS, rungs
from tests.generation.samples import request

LADDER = {"strength": 0.3, "strengths": RUNGS, "count": 4, "num_inference_steps": 20}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, (0.3, 0.45, 0.6, 0.75)),
        ({"highest": 0.74}, (0.3, 0.45, 0.6)),
        ({"highest": 0.45}, (0.3, 0.45)),
        ({"max_count": 3}, (0.3, 0.53, 0.75)),
        ({"max_count": 2, "highest": 0.6}, (0.3, 0.6)),
        ({"max_count": 10}, (0.3, 0.45, 0.6, 0.75)),
        ({"count": 2}, (0.3, 0.75)),
        ({"count": 4, "highest": 0.5}, (0.3, 0.35, 0.4, 0.45)),
        ({"count": 6}, (0.3, 0.39, 0.48, 0.57, 0.66, 0.75)),
    ],
)
def test_the_rungs_keep_to_the_limits_and_are_spread_evenly(limits: dict[str, Any], expected: Any) -> None:
    assert rungs(**limits) == expected


@pytest.mark.parametrize("limits", [{"highest": 0.44}, {"highest": 0.2}, {"max_count": 1}, {"count": 1}])
def test_fewer_than_two_rungs_are_no_ladder(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        rungs(**limits)
    assert "at least two pictures" in error_sentence(refused.value)


def test_even_the_most_pictures_have_strengths_of_their_own_in_the_narrowest_ladder() -> None:
    narrow = rungs(10, highest=0.45)
    assert sorted(set(narrow)) == list(narrow)
    assert len(narrow) == 10


def test_each_picture_of_a_ladder_has_its_own_strength_and_all_have_the_seed() -> None:
    ladder = request(**LADDER, seed=MAX_SEED)
    assert [ladder.strength_of(index) for index in range(4)] == list(RUNGS)
    assert {ladder.seed_of(index) for index in range(4)} == {MAX_SEED}
    assert ladder.total_steps == 6 + 9 + 12 + 15
    assert ladder.of_picture(2) == request(strength=0.6, num_inference_steps=20, seed=MAX_SEED)


def test_a_picture_of_a_usual_request_alone_has_its_own_seed() -> None:
    usual = request(count=3, seed=MAX_SEED)
    assert usual.of_picture(2) == request(seed=1)
    assert (usual.strength_of(2), usual.total_steps) == (0.5, 6)


def test_a_ladder_reaches_the_generation_process() -> None:
    ladder = request(**LADDER)
    frame = run_frame("job", 1, ladder)
    as_read = type(frame)(frame.kind, {**frame.fields, "request": {**frame.fields["request"], "strengths": [*RUNGS]}})
    assert request_of(type(frame)(as_read.kind, as_read.fields, frame.blobs)) == ladder


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 3},
        {"strength": 0.45},
        {"strengths": (0.3, 0.3, 0.6, 0.75)},
        {"strengths": (0.3, 0.6, 0.45, 0.75)},
        {"strengths": (0.3, 0.6, 0.75, 1.2)},
    ],
)
def test_strengths_that_are_no_ladder_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        request(**{**LADDER, **changes})
