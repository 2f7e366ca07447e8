"""The setup script's initial checks; what it then sets up is tested by ``end_to_end/test_make_run.py``."""

import ast
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import run
from generation.models.catalog import REPOSITORY


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_a_python_for_which_every_package_is_built_will_do(version: tuple[int, int]) -> None:
    assert run.python_problem(version, has_ensurepip=True) is None


@pytest.mark.parametrize("version", [(3, 10), (3, 15), (4, 0)])
def test_another_one_is_refused_with_what_to_type(version: tuple[int, int]) -> None:
    problem = run.python_problem(version, has_ensurepip=True)
    assert problem is not None
    assert f"this is {version[0]}.{version[1]}" in problem
    assert "py -3.13 run.py" in problem


def test_a_python_without_venv_is_told_where_it_comes_from() -> None:
    assert "python3-venv" in (run.python_problem((3, 11), has_ensurepip=False) or "")


def test_an_old_python_can_read_the_script_that_refuses_it() -> None:
    ast.parse((REPOSITORY / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_update_takes_torch_from_where_it_came_and_needs_a_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_url = "https://packages.example/cpu"
    environment, calls = tmp_path / ".venv", list[list[str]]()
    environment.mkdir()
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "ENVIRONMENT", environment)
    has_pip = is_found = True

    def pretend(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[1] == "-c":
            return subprocess.CompletedProcess(command, 0 if has_pip or command[2] == "pass" else 1)
        calls.append(command)
        if not is_found:
            raise subprocess.CalledProcessError(1, command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", pretend)
    monkeypatch.setattr(venv, "create", lambda *_, **__: made.append(environment))
    made = list[Path]()
    (tmp_path / "requirements.lock").touch()

    def set_up(torch: str) -> list[str]:
        """Return the indexes from which something was fetched."""
        calls.clear()
        (tmp_path / "requirements.txt").write_text(f"{torch}\n")
        run.set_up("requirements.txt")
        return [call[call.index("--index-url") + 1] if "--index-url" in call else "usual" for call in calls]

    monkeypatch.setenv("TORCH_INDEX_URL", index_url)
    assert set_up("torch==1") == [index_url, "usual"]
    monkeypatch.setenv("TORCH_INDEX_URL", "")  # as make has it
    assert set_up("torch==1") == []
    assert set_up("torch==2") == [index_url, "usual"]
    assert made == []
    monkeypatch.setenv("TORCH_INDEX_URL", "https://packages.example/cpuu")
    is_found = False
    with pytest.raises(subprocess.CalledProcessError):
        set_up("torch==3")
    is_found = True
    monkeypatch.setenv("TORCH_INDEX_URL", "")  # a typo is not remembered
    has_pip = False  # its creation was interrupted
    assert set_up("torch==3") == [index_url, "usual"]
    assert made == [environment]


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("", "playground"),
        ("DISCORD_TOKEN=\n", "playground"),
        ("DISCORD_TOKEN=some.token\n", "bot"),
        ("DISCORD_TOKEN: some.token\n", "bot"),  # which says what is wrong with it
        ("SLOTS=many\n", "bot"),
    ],
)
def test_without_a_token_it_is_the_playground(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, module: str
) -> None:
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert run.main_job() == ["-m", module]


def test_the_project_names_the_same_versions() -> None:
    (oldest, newest) = run.OLDEST_PYTHON, run.NEWEST_PYTHON
    wanted = f'requires-python = ">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"'
    assert wanted in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("README.md", "docs/discord.md", "docs/windows.md", "docs/docker.md", "docs/original-readme.md"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert re.search(rf"{oldest[0]}\.{oldest[1]}\s+to\s+{newest[0]}\.{newest[1]}", text), name


def made_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an environment that needs no packages; return its Python."""
    for name in ("requirements.txt", "requirements.lock"):
        (folder / name).touch()
    environment = folder / ".venv"
    python = environment / run.PYTHON.relative_to(run.ENVIRONMENT)
    for name, value in {"HERE": folder, "ENVIRONMENT": environment, "PYTHON": python}.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.delenv("TORCH_INDEX_URL", raising=False)
    run.set_up("requirements.txt")
    return python


@pytest.mark.skipif(sys.platform == "win32", reason="there an environment has a Python of its own")
def test_a_system_that_has_another_python_since_gets_a_new_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = made_environment(tmp_path, monkeypatch)
    capsys.readouterr()
    run.set_up("requirements.txt")
    assert capsys.readouterr().err == ""  # nothing to do
    python.unlink()
    python.symlink_to(tmp_path / "removed")
    run.set_up("requirements.txt")
    assert "Creating a virtual environment" in capsys.readouterr().err
    assert run.can_run("import pip")


def test_help_is_an_answer_and_an_unknown_word_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert "python run.py test" in capsys.readouterr().out
    assert run.main(["tset"]) == 2
    assert "python run.py test" in capsys.readouterr().err


def test_a_folder_that_is_no_place_for_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("requirements.txt", "requirements.lock", ".venv"):
        (tmp_path / name).touch()  # the last one where a folder is expected
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / ".venv" / "inside")
    monkeypatch.setattr(run, "PYTHON", tmp_path / ".venv" / "inside" / "bin" / "python")
    assert run.main(["setup"]) == 1
    assert f"{tmp_path}/.venv/inside cannot be created (Not a directory)" in capsys.readouterr().err


def test_all_tests_run_side_by_side_where_there_are_two_cores_or_more() -> None:
    assert run.pytest_arguments([], 1) == []
    workers = {cores: run.pytest_arguments([], cores)[:2] for cores in (2, 3, 4, 8, 64)}
    assert workers == {2: ["-n", "2"], 3: ["-n", "2"], 4: ["-n", "2"], 8: ["-n", "4"], 64: ["-n", "6"]}
    assert run.pytest_arguments([], 8)[2:] == ["--dist", "loadfile", "--no-loadscope-reorder"]
    assert run.pytest_arguments(["tests/test_run.py", "-x"], 8) == ["tests/test_run.py", "-x"]
