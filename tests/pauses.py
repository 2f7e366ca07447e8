"""Run tests while their processes are paused in turn for a moment, as on an overloaded machine.

    .venv/bin/python -m tests.pauses tests/end_to_end/test_trouble.py -x

Any pytest arguments can follow. A test that waits for events passes all the same; one that relies on speed does not.
"""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

LONGEST_SECONDS = 2.0
BETWEEN_SECONDS = (0.05, 0.6)


def main(arguments: Sequence[str]) -> int:
    """Run pytest; return its exit status."""
    chance = random.Random(0)
    running = subprocess.Popen([sys.executable, "-m", "pytest", *arguments])
    root = psutil.Process(running.pid)
    pauses = 0
    while running.poll() is None:
        time.sleep(chance.uniform(*BETWEEN_SECONDS))
        with contextlib.suppress(psutil.NoSuchProcess):
            process = chance.choice([root, *root.children(recursive=True)])
            if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):  # some tests stop one themselves
                pause(process, chance.uniform(0.05, LONGEST_SECONDS))
                pauses += 1
    print(f"{pauses} pauses", file=sys.stderr)
    return running.returncode


def pause(process: psutil.Process, seconds: float) -> None:
    """Pause a process for this long."""
    process.suspend()
    try:
        time.sleep(seconds)
    finally:
        process.resume()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
