"""Entry point of ``python -m playground``: stand-in, bot and one picture; see ``playground.demo``."""

import sys

from generation.console import main_of, status_of

if __name__ == "__main__":
    sys.exit(status_of(main_of("playground.demo")))
