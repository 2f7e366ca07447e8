"""What `python -m training` says when it is called wrongly."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from generation.models.catalog import REPOSITORY


def training(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["latents", "--help"], 0), ([], 2), (["x"], 2)])
def test_it_tells_its_use(arguments: list[str], status: int) -> None:
    done = training(*arguments)
    assert done.returncode == status
    assert "usage: python -m training" in done.stdout + done.stderr


@pytest.mark.parametrize("verb", ["latents", "autoencoder"])
def test_a_verb_whose_files_are_missing_says_which_and_where_the_order_stands(tmp_path: Path, verb: str) -> None:
    done = training(verb, "--folder", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"There is no {tmp_path}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", ["adopt", "evaluate", "grids"])
def test_a_folder_without_a_model_is_one_sentence(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"training.{verb}").main(["--model", str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} is no model's folder: it has no model_index.json" in capsys.readouterr().err
