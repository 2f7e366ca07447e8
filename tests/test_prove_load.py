"""The proofs under load, scaled down: the same program, fewer requests, no timed assertion; and they can fail."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from playground.client import PlaygroundServer
from prove import BROKEN, acknowledgements, fairness, overload, place, soak, trouble
from prove.fairness import Served, jain_index, most_before
from prove.place import Account, Vitals
from prove.rounds import Rounds
from tests.end_to_end.bot_process import ACKNOWLEDGE_SECONDS


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the bot more than Discord's 3 s; the proof itself, on a machine of its own, measures how quick it is."""
    monkeypatch.setattr(place, "PlaygroundServer", partial(PlaygroundServer, acknowledge_seconds=ACKNOWLEDGE_SECONDS))


async def test_trouble(tmp_path: Path) -> None:
    outcome = await trouble.one_round(
        tmp_path, seconds=4, drop_seconds=1, drops=trouble.DROPS[:3], engine="create_engine"
    )
    assert trouble.broken_promises([outcome]) == [], outcome


async def test_a_storm_and_a_burst_of_commands(tmp_path: Path) -> None:
    outcome = await acknowledgements.one_round(tmp_path, commands=40, per_second=20, in_burst=20)
    assert acknowledgements.broken_promises([outcome], timed=False) == [], outcome


async def test_overload(tmp_path: Path) -> None:
    outcome = await overload.overload(tmp_path, requests=50, per_second=None, steps=20, max_waiting=5, sample_seconds=1)
    assert overload.broken_promises(outcome, max_waiting=5) == [], outcome


async def test_soak(tmp_path: Path) -> None:
    small = {"jobs": 40, "channels": 4, "steps": 10, "sample_seconds": 0.5, "limit_seconds": 0.5}
    outcome = await soak.soak(tmp_path, per_second=None, **small)
    assert soak.broken_promises(outcome) == [], outcome


async def test_fairness(tmp_path: Path) -> None:
    crowded = await fairness.crowd(tmp_path / "crowd", jobs=8, others=2, requests_each=2, steps=12, places=(None, 0))
    assert len(crowded) == 12
    assert most_before(crowded) <= 1
    shared = await fairness.shares(tmp_path / "shares", members=3, units_each=6, steps=(24, 12, 6))
    assert jain_index(shared) >= 0.85  # with plain turns, whatever they cost, it would be .78


def job(member: int, queued_at: float, started_at: float, seconds: float = 1.0) -> Served:
    return Served(member, queued_at, started_at, seconds)


def test_the_account_of_fairness_sees_what_is_unfair() -> None:
    busy = [job(1, 0, moment) for moment in range(10)]
    assert most_before([*busy, job(2, 3.5, 4.5)]) == 1
    assert most_before([*busy, job(2, 3.5, 6.5)]) == 3
    assert most_before([*busy, job(2, 3.5, 4.5), job(2, 3.5, 5.5)]) == 1  # the second waits behind the member's first
    assert most_before([*busy, job(2, 3.5, 4.5), job(2, 3.5, 6.5)]) == 2
    alike = [job(member, 0, moment) for moment in range(20) for member in (1, 2)]
    assert jain_index(alike) == 1
    unlike = [job(member, 0, moment, seconds=member**2) for moment in range(20) for member in (1, 2, 3)]
    assert jain_index(unlike) < 0.8


def test_the_account_of_requests_sees_what_is_lost() -> None:
    account = Account(promised={"1", "2", "3", "4"}, unanswered=1)
    account.results |= {"1": ["a"], "2": ["b", "c"]}
    account.failures["3"] = "⚠️ It did not work."
    account.finished |= {"1"}
    assert account.open == {"2", "4"}
    counts = account.counts()
    assert (counts["promised"], counts["delivered"], counts["lost"]) == (4, 2, 2)
    assert (counts["shown twice"], counts["status left behind"], counts["unanswered"]) == (1, 3, 1)


GOOD_ROUND = {
    "storm": [0.1] * 99 + [2.0],
    "burst": [0.5, 2.5],
    "lost": 0,
    "shown twice": 0,
    "refused": 0,
}


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ({"storm": [0.1] * 98 + [2.0, 2.0]}, "p99 below 1 s"),
        ({"burst": [0.5, 2.6]}, "bursts within 2.5 s"),
        ({"lost": 1}, "every request that was taken is delivered"),
    ],
)
def test_one_bad_figure_breaks_its_promise(change: dict[str, object], promise: str) -> None:
    assert acknowledgements.broken_promises([GOOD_ROUND]) == []
    assert acknowledgements.broken_promises([GOOD_ROUND | change]) == [promise]
    assert "every command is acknowledged" in acknowledgements.broken_promises([GOOD_ROUND | {"storm": [None]}])


def test_a_proof_of_what_is_broken_writes_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, lines = Rounds("acknowledgements", folder=tmp_path, version="1"), list[str]()
    for lost in range(acknowledgements.ROUNDS):
        rounds.add(**GOOD_ROUND | {"lost": lost, "load": 1.0, "burst computed": 0.5})
    monkeypatch.setattr(acknowledgements, "Rounds", lambda _: rounds)
    monkeypatch.setattr(acknowledgements, "write_line", lambda promise, *_: lines.append(promise))
    assert acknowledgements.main([]) == BROKEN
    assert lines == []


def test_what_grows_is_seen() -> None:
    steady = [Vitals(100 + number % 3, 40, 9) for number in range(30)]
    assert abs(soak.what_grew(steady)["memory"]) < 1
    grown = soak.what_grew([replace(each, descriptors=40 + number) for number, each in enumerate(steady)])
    assert grown["descriptors"] == 20
    outcome = overload.Outcome({"unanswered": 0, "lost": 0, "shown twice": 0}, Counter(["No."]), 5, steady, True)
    assert overload.broken_promises(outcome, max_waiting=5) == ["most are refused, with a sentence that says why"]
