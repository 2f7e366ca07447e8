"""The bot as it is, but for an engine that a test can let stand still: ``python -m tests.end_to_end.patient_bot``."""

import sys

from bot.__main__ import run

if __name__ == "__main__":
    sys.exit(run(engine="tests.end_to_end.patient_engine:create_engine"))
