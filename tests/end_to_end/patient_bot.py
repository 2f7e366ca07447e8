"""The bot as it is, but for an engine that a test can let stand still: ``python -m tests.end_to_end.patient_bot``."""

import sys

import bot.main as bot

if __name__ == "__main__":
    bot.LAST_SECONDS = 600.0  # an orderly end takes more than the usual ones where others want the machine too
    sys.exit(bot.run(engine="tests.end_to_end.patient_engine:create_engine"))
