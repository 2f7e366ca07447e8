"""Takes away what a child does not need: files other than Python's own, other programs, connections and processes."""

import contextlib
import ctypes
import os
import struct
import sys
from pathlib import Path

# <linux/landlock.h>; the system call numbers are the same on every architecture that torch has packages for.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_FOR_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals
_PR_SET_NO_NEW_PRIVS = 38


def version() -> int:
    """Return the Landlock version that the kernel offers, 0 for none (https://docs.kernel.org/userspace-api/landlock.html)."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _ASK_FOR_VERSION))


def confine() -> bool:
    """Restrict this process to reading Python and its packages; it can open nothing else.

    It can start no other program, and cannot signal or inspect any process outside; from Landlock 4 on (Linux 6.7) it
    cannot open TCP connections. Files that are open stay open. This applies to threads started from now on, so call it
    before starting any. Returns False, and does nothing, where the kernel does not offer Landlock.
    """
    offered = version()
    if not offered:
        return False
    libc = ctypes.CDLL(None)
    every_access = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(offered, 16)) - 1
    handled = struct.pack("=QQQ", every_access, _TCP if offered >= 4 else 0, _SCOPES if offered >= 6 else 0)
    rules = libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if rules < 0:
        return False
    try:
        for folder in _python_folders():
            with contextlib.suppress(OSError):
                opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
                beneath = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, opened)
                libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, beneath, 0)
                os.close(opened)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(_RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _python_folders() -> set[Path]:
    """Return the folders of Python's modules, except for the bot's working folder, which contains ``.env``."""
    folders = {Path(entry).resolve() for entry in (sys.prefix, sys.base_prefix, *sys.path) if entry}
    return {folder for folder in folders if folder.is_dir() and not Path.cwd().is_relative_to(folder)}
