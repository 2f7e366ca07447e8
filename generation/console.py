"""What every command line here owes to whoever reads it: no traceback because of where its output goes."""

import io
import os
import sys
from collections.abc import Callable

EXIT_UNREAD = 1


def status_of(main: Callable[[], int]) -> int:
    """Run a command line and return its exit status.

    A sign that the encoding of standard output lacks, as Windows' often does when it goes to a file, is printed as
    ``?``. A reader who leaves early, ``head`` perhaps, ends it with ``EXIT_UNREAD``.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # As Python's documentation of SIGPIPE says: or the flush at the end would raise once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD
    return status
