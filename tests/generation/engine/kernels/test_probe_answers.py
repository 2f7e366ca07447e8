"""Measurements of this machine are made once; those of another machine do not count, and a GPU's are not stored."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from generation.engine.kernels import probe_answers
from generation.engine.kernels.probe_answers import ANSWERS_NAME, remember_answers, remembered

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _nothing_is_kept_for_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_answers, "_path", None)


def start(*found: bool) -> tuple[Callable[..., bool], list[tuple[object, ...]]]:
    """Return a probe as a new process would have it, with these successive results, and the list of calls to it."""
    asked = list[tuple[object, ...]]()

    def pays(*of: object) -> bool:
        asked.append(of)
        return found[len(asked) - 1]

    return remembered(pays), asked


@pytest.mark.parametrize("answer", [True, False])
def test_a_later_start_measures_nothing(answer: bool, tmp_path: Path) -> None:
    remember_answers(tmp_path)
    first, asked = start(answer, not answer)
    assert (first(CPU, torch.bfloat16), first(CPU, torch.float32), first(CPU, torch.bfloat16)) == (
        answer,
        not answer,
        answer,
    )
    assert asked == [(CPU, torch.bfloat16), (CPU, torch.float32)]
    later, asked = start()
    assert (later(CPU, torch.bfloat16), later(CPU, torch.float32)) == (answer, not answer)
    assert asked == []


def test_another_machine_is_measured_and_so_is_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_answers(tmp_path)
    start(True)[0](CPU)
    start(True)[0](torch.device("cuda:0"))
    assert start(False)[0](torch.device("cuda:0")) is False
    monkeypatch.setattr(probe_answers, "_machine", lambda: ["another"])
    assert start(False)[0](CPU) is False
    assert json.loads((tmp_path / ANSWERS_NAME).read_text()) == {"of": ["another"], "answers": {"pays cpu": False}}


@pytest.mark.parametrize("kept", ["{", "[]", "{}", '{"of": [], "answers": {}}'])
def test_what_is_damaged_is_not_believed(kept: str, tmp_path: Path) -> None:
    remember_answers(tmp_path)
    (tmp_path / ANSWERS_NAME).write_text(kept)
    assert start(True)[0](CPU) is True
    assert start()[0](CPU) is True


def test_without_a_folder_nothing_is_remembered() -> None:
    assert start(True)[0](CPU) is True
    assert start(False)[0](CPU) is False
