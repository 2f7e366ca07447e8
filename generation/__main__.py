"""``python -m generation``."""

import sys

from generation.cli.main import main
from generation.console import status_of

if __name__ == "__main__":
    sys.exit(status_of(main))
