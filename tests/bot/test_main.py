"""What ``python -m bot`` makes of an end that nobody foresaw."""

import os
import subprocess
import sys

PROGRAM = """
import sys
import bot.main

async def broken(*_, **__):
    raise ValueError("a fox in the snow")

bot.main.serve = broken
sys.exit(bot.main.run())
"""


def test_an_error_that_nobody_foresaw_is_logged_and_worth_another_start() -> None:
    environment = {**os.environ, "DISCORD_TOKEN": "some.token", "LOG_FORMAT": "json"}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1  # 2 is for settings, and a service is not started again after that
    (line,) = ended.stderr.splitlines()
    assert "ValueError" in line
    assert "broken" in line
    assert "a fox" not in line
