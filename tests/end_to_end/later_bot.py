"""The unmodified bot, but some days later and with a janitor that hardly rests.

    python -m tests.end_to_end.later_bot 31

It generates without a model.
"""

import functools
import importlib
import logging
import sys
import time
from typing import Any

SWEPT = "swept"
_PAUSE_SECONDS = 0.01


def main() -> int:
    """Run the bot; return its exit status."""
    now, later_seconds = time.time, float(sys.argv[1]) * 86_400
    time.time = lambda: now() + later_seconds  # before importing the bot, which takes references to this function
    janitor: Any = importlib.import_module("bot.jobs.janitor").Janitor
    run, sweep = janitor.run, janitor.sweep

    @functools.wraps(sweep)
    async def telling(self: Any) -> None:
        await sweep(self)
        logging.getLogger(__name__).info(SWEPT)

    janitor.run = functools.partialmethod(run, _PAUSE_SECONDS)
    janitor.sweep = telling
    mortal_bot = importlib.import_module("prove.mortal_bot")
    return mortal_bot.run(engine=mortal_bot.QUICK_ENGINE)


if __name__ == "__main__":
    sys.exit(main())
