"""The unmodified bot with an engine that a test can hold: ``python -m tests.end_to_end.patient_bot``."""

import sys

import bot.main as bot

if __name__ == "__main__":
    bot.LAST_SECONDS = 600.0  # an orderly shutdown takes longer than usual on a machine that others use too
    sys.exit(bot.run(engine="tests.end_to_end.patient_engine:create_engine"))
