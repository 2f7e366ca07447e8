"""``python -m generation``."""

import sys

from generation.console import main_of, status_of

if __name__ == "__main__":
    sys.exit(status_of(main_of("generation.cli.main")))
