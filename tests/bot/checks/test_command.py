"""``python -m bot check`` as a whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.checks.command import print_findings
from bot.checks.findings import fail, ok, warn
from generation.models.catalog import REPOSITORY
from playground.client import PlaygroundClient, PlaygroundServer


def check(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", "check"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(tmp_path / "data"), **changes}
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_a_good_set_up_ends_with_0_and_a_line_a_finding(
    server: PlaygroundServer, playground: PlaygroundClient, tmp_path: Path
) -> None:
    done = check(tmp_path, **server.bot_environment(), DEVICE="cpu", MODEL="demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert all(line.split(maxsplit=1)[0] in ("ok", "warn") for line in done.stdout.splitlines())
    assert "computes on cpu" in done.stdout
    assert server.token not in done.stdout


def test_a_setting_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    done = check(tmp_path, MAX_COUNT="many")
    assert done.returncode == 1
    assert done.stdout.startswith("fail  settings: MAX_COUNT")
    assert len(done.stdout.splitlines()) == 1


def test_a_file_in_a_small_encoding_will_do(tmp_path: Path) -> None:
    done = check(tmp_path, DISCORD_TOKEN="", DEVICE="cpu", PYTHONIOENCODING="cp1252")  # which has no arrow character
    assert done.returncode == 1
    assert "Bot ? Reset Token" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe without a reader is another error there")
def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "SLOTS": "0"},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_only_what_failed_makes_the_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    fine, poor = ok("token", "Discord accepts it."), warn("clock", "The clock is off.", "Set it.")
    broken = fail("data", "The folder cannot be written.", "Set DATA_DIR.")
    assert print_findings([fine, poor], as_json=False) == 0
    assert capsys.readouterr().out == "ok    token: Discord accepts it.\nwarn  clock: The clock is off. Set it.\n"
    assert print_findings([fine, broken], as_json=True) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"check": "token", "verdict": "ok", "message": "Discord accepts it.", "remedy": ""}
    assert (second["verdict"], second["remedy"]) == ("fail", "Set DATA_DIR.")
