"""``python -m generation``."""

import os
import sys

from generation.cli.main import main

if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, ``head`` perhaps, has closed the pipe
        # As Python's documentation of SIGPIPE advises: otherwise the flush at exit would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
