"""What every command line here owes its user: no traceback for a wrong Python or for output that nobody reads."""

import importlib
import io
import os
import sys
from collections.abc import Callable

EXIT_UNREAD, EXIT_WRONG_PYTHON = 1, 2


def main_of(module: str) -> Callable[[], int]:
    """Return a module's ``main``; exit with a sentence if the packages that it needs are missing."""
    try:
        return importlib.import_module(module).main
    except ModuleNotFoundError as error:
        print(
            f"This Python has no {error.name}. `python3 run.py setup` creates one that has everything: .venv/bin/python"
            r" (on Windows .venv\Scripts\python).",
            file=sys.stderr,
        )
        sys.exit(EXIT_WRONG_PYTHON)


def status_of(main: Callable[[], int]) -> int:
    """Run a command line and return its exit status.

    A character that standard output cannot encode, as is common on Windows when it goes to a file, is printed as ``?``.
    If the reader closes the pipe early, as ``head`` does, the status is ``EXIT_UNREAD``.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # As Python's documentation of SIGPIPE recommends; otherwise the flush at exit would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD
    return status
