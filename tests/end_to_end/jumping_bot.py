"""The unmodified bot with a clock that a test can set: ``python -m tests.end_to_end.jumping_bot``.

The file ``CLOCK`` in its data folder says how many seconds its clock is ahead. It generates without a model.
"""

import importlib
import os
import sys
import time
from pathlib import Path

CLOCK = "clock"


def main() -> int:
    """Run the bot; return its exit status."""
    now, clock = time.time, Path(os.environ["DATA_DIR"]) / CLOCK
    time.time = lambda: now() + float(clock.read_text())  # before importing the bot, which keeps references to it
    mortal_bot = importlib.import_module("prove.mortal_bot")
    return mortal_bot.run(engine=mortal_bot.QUICK_ENGINE)


if __name__ == "__main__":
    sys.exit(main())
