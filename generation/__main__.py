"""``python -m generation``."""

import os
import sys

from generation.cli.main import main

if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, ``head`` perhaps, has had enough
        # As Python's documentation of SIGPIPE says: or the flush at the end would raise once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
