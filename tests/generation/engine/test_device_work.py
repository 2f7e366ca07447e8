"""Work submitted one piece ahead: who waits for what, and how long each piece took."""

import time
from typing import Any

import pytest
import torch

from generation.engine.device_work import DeviceWork

CUDA = torch.device("cuda", 0)


class Tape:
    """A simulated GPU that does its queued work when someone waits for it; each piece takes the seconds it names."""

    def __init__(self) -> None:
        self.told = list[float]()  # seconds of each piece
        self.waited = list[int]()  # for how many pieces

    def event(self, *, enable_timing: bool) -> Any:
        assert enable_timing
        return _Event(self)


class _Event:
    def __init__(self, tape: Tape) -> None:
        self._tape, self._place = tape, -1

    def record(self, stream: Any) -> None:
        self._place = len(self._tape.told)

    def synchronize(self) -> None:
        self._tape.waited.append(self._place)

    def elapsed_time(self, later: "_Event") -> float:
        return 1000 * sum(self._tape.told[self._place : later._place])


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    tape = Tape()
    monkeypatch.setattr(torch.cuda, "Event", tape.event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    return tape


def test_a_card_is_one_piece_behind_and_each_piece_is_charged_what_it_took(tape: Tape) -> None:
    work, took = DeviceWork(CUDA), list[tuple[str, float]]()
    for name, seconds, done_by_now in (("a", 2.0, []), ("b", 3.0, ["a"]), ("c", 5.0, ["a", "b"])):
        with work.piece(lambda seconds, name=name: took.append((name, seconds))):
            tape.told.append(seconds)
        assert [name for name, _ in took] == done_by_now
    assert tape.waited == [1, 2]
    work.finish()
    assert took == [("a", 2.0), ("b", 3.0), ("c", 5.0)]
    work.finish()
    assert tape.waited == [1, 2, 3]


def test_what_breaks_while_it_is_told_is_charged_to_nobody(tape: Tape) -> None:
    work, took = DeviceWork(CUDA), list[float]()
    with work.piece(took.append):
        tape.told.append(1.0)
    with pytest.raises(ValueError, match="broken"), work.piece(took.append):
        raise ValueError("broken")
    work.finish()
    assert took == [1.0]


def test_a_processor_is_never_behind() -> None:
    work, took = DeviceWork(torch.device("cpu")), list[float]()
    began = time.perf_counter()
    with work.piece(took.append):
        assert not took
        torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    assert 0 < took[0] <= time.perf_counter() - began
