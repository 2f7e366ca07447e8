"""What every command line here owes to whoever runs it: no traceback for the wrong Python or an unread output."""

import importlib
import io
import os
import sys
from collections.abc import Callable

EXIT_UNREAD, EXIT_WRONG_PYTHON = 1, 2


def main_of(module: str) -> Callable[[], int]:
    """Return a module's ``main``; end with a sentence if the packages that it needs are not there."""
    try:
        return importlib.import_module(module).main
    except ModuleNotFoundError as error:
        print(
            f"This Python has no {error.name}: `python3 run.py setup` makes one that has all, .venv/bin/python"
            r" (on Windows .venv\Scripts\python).",
            file=sys.stderr,
        )
        sys.exit(EXIT_WRONG_PYTHON)


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
