"""What the executor process does at startup."""

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from generation.errors import ModelUnavailable
from generation.executors.worker import Worker, make_engine
from generation.models.problems import ModelProblem


@pytest.mark.parametrize(
    ("reason", "tries"), [(ModelProblem.UNREACHABLE, 3), (ModelProblem.CUT_OFF, 3), (ModelProblem.NO_FOLDER, 1)]
)
def test_a_default_model_is_tried_again_if_what_keeps_it_away_may_pass(
    reason: ModelProblem, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.executors.worker._FIRST_PAUSE_SECONDS", 0.0)
    said, seen = list[str](), list[int]()

    class Engine:
        def preload(self) -> None:
            seen.append(1)
            if len(seen) < 3:
                raise ModelUnavailable("demo", reason, source="a/demo", folder="/demo")

    worker = Worker(cast("Any", SimpleNamespace(send=said.append)))
    worker._warm_up(cast("Any", Engine()))
    assert (len(seen), said) == (tries, ["warm"] if tries == 3 else [])


@pytest.mark.parametrize("succeeds", [True, False])
def test_garbage_is_looked_for_before_and_after_the_engine_is_made_but_not_meanwhile(
    succeeds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"collected_{succeeds}".lower()
    (tmp_path / f"{name}.py").write_text(
        "import gc\n"
        "looked = [gc.isenabled()]\n"
        "def create(options):\n"
        "    assert options['succeeds']\n"
        "    return [*looked, gc.isenabled()]\n"
    )
    if succeeds:
        assert make_engine(f"{name}:create", {"succeeds": True}) == [False, False]
    else:
        with pytest.raises(AssertionError):
            make_engine(f"{name}:create", {"succeeds": False})
    assert gc.isenabled()
