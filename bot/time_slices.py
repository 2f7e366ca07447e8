"""Short scheduler time slices for the bot's event loop, so that it wakes at once while the executor computes.

When all cores are busy, a process that wakes up waits some milliseconds for another's time slice to end. Since Linux
6.12 a process that asks for shorter slices than the running one preempts it at once. No process gets less CPU time for
it: the shares stay the same. Source: https://docs.kernel.org/scheduler/sched-eevdf.html and sched_setattr(2).
"""

import ctypes
import os
import platform
import sys

_SYSCALLS = {"x86_64": 314, "aarch64": 274}  # sched_setattr, which the C library wraps only since glibc 2.41
_SLICE_NANOSECONDS = 100_000  # the minimum; usual are some milliseconds
_RESET_ON_FORK = 0x01


class _Attributes(ctypes.Structure):
    """The first version of ``struct sched_attr``."""

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


def request_short_time_slices() -> bool:
    """Request short time slices for this thread, but not for its children; return whether the system accepted.

    An older Linux accepts it without effect; other systems are not asked.
    """
    number = _SYSCALLS.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice < 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False  # set by the operator, and child processes would not inherit it
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=os.SCHED_OTHER,
        flags=_RESET_ON_FORK,
        nice=nice,
        runtime=_SLICE_NANOSECONDS,
    )
    return ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0) == 0
