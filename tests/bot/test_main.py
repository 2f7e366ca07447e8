"""What ``python -m bot`` does about unexpected errors."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.client import Palimpsest

PROGRAM = """
import sys
from types import SimpleNamespace
import bot.main
import discord

async def broken(*_, **__):
    raise {error}

bot.main.serve = broken
sys.exit(bot.main.run())
"""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("ValueError('a ' + 'fox')", ["ValueError", "broken"]),  # since 3.13 a traceback quotes the program's source
        ("discord.ConnectionClosed(SimpleNamespace(close_code=4011), shard_id=None)", ["code 4011"]),
    ],
)
def test_an_error_that_nobody_foresaw_is_logged_and_worth_another_start(error: str, words: list[str]) -> None:
    program = PROGRAM.format(error=error)
    environment = {**os.environ, "DISCORD_TOKEN": "some.token", "LOG_FORMAT": "json"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1  # 2 is for settings, after which a service is not restarted
    (line,) = ended.stderr.splitlines()
    assert all(word in line for word in words)
    assert "a fox" not in line


def test_what_the_library_says_after_the_end_reaches_nobody() -> None:
    ended = cast("Any", SimpleNamespace(is_closed=lambda: True))  # without a loop, like the library's closed client
    Palimpsest.dispatch(ended, "ready")
