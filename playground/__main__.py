"""``python -m playground``: stand-in, bot and one picture; see ``playground.demo``."""

import sys

from generation.console import status_of
from playground.demo import main

if __name__ == "__main__":
    sys.exit(status_of(main))
