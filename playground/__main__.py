"""``python -m playground``: stand-in, bot and one picture; see ``playground.demo``."""

import sys

from playground.demo import main

if __name__ == "__main__":
    sys.exit(main())
