"""Short turns on the processor for the bot's event loop, so that it is woken at once while the executor computes.

Where all cores are busy a process that wakes up waits until another's turn is over, milliseconds; since Linux 6.12 who
asks for turns shorter than the other's takes its place at once. Nobody gets less for it: the share stays the same.
Source: https://docs.kernel.org/scheduler/sched-eevdf.html and sched_setattr(2).
"""

import ctypes
import os
import platform
import sys

_SYSCALLS = {"x86_64": 314, "aarch64": 274}  # sched_setattr, which the C library wraps since glibc 2.41 only
_TURN_NANOSECONDS = 100_000  # the shortest that there is; usual are some milliseconds
_RESET_ON_FORK = 0x01


class _Attributes(ctypes.Structure):
    """``struct sched_attr`` in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def take_short_turns() -> bool:
    """Ask for short turns for this thread, and for none that it begins; return whether the system heard it.

    An older Linux hears it and goes on as it did; elsewhere nothing is asked for.
    """
    number = _SYSCALLS.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice < 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False  # an operator's wish, which those that it begins would not inherit
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=os.SCHED_OTHER,
        flags=_RESET_ON_FORK,
        nice=nice,
        runtime=_TURN_NANOSECONDS,
    )
    return ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0) == 0
