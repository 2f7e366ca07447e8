"""The proofs, scaled down: they must be able to fail, and to resume where they were stopped."""

import importlib
import itertools
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bot.storage.policies import DEFAULT_POLICY
from generation.images.refusals import Refusal
from playground.client import Message
from prove import __main__ as prove_all
from prove import false_alarms
from prove.__main__ import PROOFS, Proof
from prove.executor_faults import FAULTS, inject_all
from prove.foreign_pictures import broken_promises, figures_of
from prove.members import Row, wrong_of
from prove.page import commit, machine, write_line
from prove.picture_judge import Outcome
from prove.rounds import Rounds

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


def test_false_alarms_are_counted_at_every_threshold_of_the_policy() -> None:
    few = {"photographs": [0.1] * 197 + [0.55, 0.7, 0.9], "drawings": [0.0] * 100}
    assert (
        false_alarms.figure_of(few)
        == "from 0.5/0.6/0.8: 3/2/1 of 300 (photographs 3/2/1 of 200, drawings 0/0/0 of 100)"
    )
    assert false_alarms.is_kept(few)
    assert not false_alarms.is_kept({"photographs": [0.1] * 98 + [0.8, 0.8]})


async def test_harmless_pictures_of_the_repository_raise_no_alarm() -> None:
    scenes = list(itertools.islice(false_alarms.scenes(), 8))
    assert len(set(scenes)) == 8
    scores = await false_alarms.scores_of([*scenes, b"no picture"])
    assert len(scores) == 8
    assert max(scores) < DEFAULT_POLICY.spoiler_score


LEFT = "# A page\n\nWords.\n\n<!-- measured: begin -->\n| Promise | Figure |\n|---|---|\n| first | 1 |\n"
RIGHT = "<!-- measured: end -->\n\nMore.\n"


def test_a_line_takes_the_place_of_the_one_about_its_promise(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{LEFT}| second | 2 |\n{RIGHT}", encoding="utf-8")
    write_line("first", "3 | 4", "python -m prove", page=page)
    write_line("third", "5", "python -m prove", page=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(
        "# A page\n\nWords.\n\n<!-- measured: begin -->\n| Promise | Figure |\n|---|---|\n| first | 3 "
    )
    assert "| 1 |" not in text
    assert "| first | 3 \\| 4 | `python -m prove` | 2" in text
    first, second, third = (text.index(f"| {name} |") for name in ("first", "second", "third"))
    assert first < second < third < text.index(RIGHT)
    assert commit() in text
    assert machine() in text


def test_a_page_without_its_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        write_line("first", "3", "python -m prove", page=page)
    assert page.read_text(encoding="utf-8") == "# A page\n"


def test_rounds_are_remembered_and_one_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    rounds = Rounds("kills", folder=tmp_path, version="1")
    rounds.add(kills=3)
    rounds.add(kills=4)
    with (tmp_path / "kills" / "1.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kills": ')
    again = Rounds("kills", folder=tmp_path, version="1")
    assert again.all == [{"kills": 3}, {"kills": 4}]
    again.add(kills=5)
    assert Rounds("kills", folder=tmp_path, version="1").all == [{"kills": 3}, {"kills": 4}, {"kills": 5}]
    assert len(Rounds("kills", folder=tmp_path, version="2")) == 0


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_every_proof_is_a_program_of_its_own(proof: Proof) -> None:
    module = importlib.import_module(f"prove.{proof.name}")
    assert callable(module.main)


def test_what_was_proved_is_not_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, {"prove.read_only_root": 2}.get(command[-1], 0))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(prove_all, "Rounds", lambda proof: Rounds(proof, folder=tmp_path, version="1"))
    names = ["foreign_pictures", "read_only_root"]
    assert prove_all.main(names) == 0
    assert asked == ["prove.foreign_pictures", "prove.read_only_root"]
    assert prove_all.main(names) == 0
    assert asked[2:] == ["prove.read_only_root"]
    assert prove_all.main([*names, "--again"]) == 0
    assert asked[3:] == ["prove.foreign_pictures", "prove.read_only_root"]


def test_a_broken_promise_ends_with_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    monkeypatch.setattr(prove_all, "Rounds", lambda proof: Rounds(proof, folder=tmp_path, version="1"))
    assert prove_all.main(["read_only_root"]) == 1


async def test_every_fault_in_the_generation_process_is_recognised_and_the_next_job_done(tmp_path: Path) -> None:
    rounds = Rounds("executor_faults", folder=tmp_path, version="1")
    outcomes = await inject_all(tmp_path, rounds, injections=1)
    assert len(outcomes) == len(FAULTS)
    assert [outcome for outcome in outcomes if not outcome.is_kept] == []


def shown(message_id: int, content: str, filename: str | None = None) -> Message:
    named = [SimpleNamespace(filename=filename)] if filename else []
    return cast(Message, SimpleNamespace(id=str(message_id), content=content, attachments=named))


JOB, DONE, DELETED = "1" * 20, shown(1, "✅ Done in 1 s: https://…"), shown(1, "🗑️ The picture was deleted")
RESULT = shown(2, "**a cat**", f"SPOILER_palimpsest-{JOB}.png")


@pytest.mark.parametrize(
    ("messages", "row", "wrong"),
    [
        ([DONE, RESULT], Row(JOB, "delivered", 1, 2, False), []),
        ([shown(1, "<@5> 🚫 Cancelled")], Row(JOB, "cancelled", 1, None, False), []),
        ([DELETED], Row(JOB, "delivered", 1, None, False), []),
        ([], Row(JOB, "delivered", 1, 2, False), []),  # moderators deleted both
        ([RESULT], Row(JOB, "delivered", None, None, True), []),  # it could not be deleted, and the member was told
        ([shown(1, "<@5> 📥 Fetching your picture…")], Row(JOB, "delivered", None, None, True), ["stuck"]),
        ([DONE, RESULT, RESULT], Row(JOB, "delivered", 1, 2, False), ["shown twice"]),
        ([shown(1, "🚫 Cancelled"), RESULT], Row(JOB, "cancelled", 1, None, False), ["shown although cancelled"]),
        ([shown(1, "🚫 Cancelled")], Row(JOB, "failed", 1, None, False), ["failed, but the status message says"]),
        ([DONE], Row(JOB, "delivered", 1, None, False), ["the picture of"]),
        ([DELETED], Row(JOB, "delivered", 1, 2, False), ["the picture of"]),
    ],
)
def test_what_members_are_left_with_is_compared_with_the_database(
    messages: list[Message], row: Row, wrong: list[str]
) -> None:
    found = wrong_of(messages, [row])
    assert len(found) == len(wrong)
    assert all(text.startswith(beginning) for text, beginning in zip(found, wrong, strict=True))


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_each_tells_its_options_and_does_not_begin(proof: Proof, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"prove.{proof.name}").main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m prove.{proof.name} ")
