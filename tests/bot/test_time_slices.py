"""Short time slices are requested where Linux supports them, for one thread only, and never against the operator."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import time_slices
from generation.models.catalog import REPOSITORY

RUN = """
import bot.main as bot
from bot import time_slices

async def serve(*_, **__):
    print(asked)

asked = []
usual, bot.request_short_time_slices = bot.request_short_time_slices, lambda: asked.append(usual())
bot.serve = serve
bot.run()
"""
# Each in a process of its own: the test process keeps its time slices.
ASK = """
import ctypes, json, os, subprocess, sys, threading
from bot import time_slices

def slices():
    seen = time_slices._Attributes()
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]  # sched_getattr
    assert ctypes.CDLL(None).syscall(number, 0, ctypes.byref(seen), ctypes.sizeof(seen), 0) == 0
    return {"policy": seen.policy, "nice": seen.nice, "nanoseconds": seen.runtime}

if sys.argv[1:]:
    print(json.dumps(slices()))
    raise SystemExit
os.nice(3)
told = {"before": slices(), "accepted": time_slices.request_short_time_slices(), "after": slices()}
thread = threading.Thread(target=lambda: told.update(thread=slices()))
thread.start()
thread.join()
told["child"] = json.loads(subprocess.run([sys.executable, __file__, "child"], capture_output=True, check=True).stdout)
print(json.dumps(told))
"""

needs_linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in time_slices._SYSCALLS, reason="it is for Linux on x86 and ARM"
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("slices") / "ask.py"
    file.write_text(ASK)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_linux
def test_linux_accepts_it_and_nothing_else_changes(told: Any) -> None:
    assert told["accepted"] is True
    for name in ("policy", "nice"):
        assert told["after"][name] == told["before"][name]


@needs_linux
def test_the_bot_has_asked_when_it_begins_to_serve(tmp_path: Path) -> None:
    environment = os.environ | {"DISCORD_TOKEN": "some.token", "DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, env=environment, cwd=REPOSITORY)
    assert done.stdout == "[True]\n", done.stderr


@needs_linux
def test_slices_are_short_for_the_thread_that_asked_and_for_no_other(told: Any) -> None:
    if not told["before"]["nanoseconds"]:
        pytest.skip("this Linux has slices of one length, as all had before 6.12")
    assert told["after"]["nanoseconds"] == time_slices._SLICE_NANOSECONDS < told["before"]["nanoseconds"]
    assert told["thread"] == told["child"] == told["before"]


@needs_linux
@pytest.mark.parametrize(("name", "says"), [("getpriority", -5), ("sched_getscheduler", 3)])
def test_what_an_operator_has_asked_for_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str, says: int) -> None:
    monkeypatch.setattr(os, name, lambda *_: says)
    assert time_slices.request_short_time_slices() is False


def test_elsewhere_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert time_slices.request_short_time_slices() is False
