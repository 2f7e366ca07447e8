"""A limit on a process's memory: the kernel's where there is one, otherwise a watchdog that kills."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from generation.child.parent import ChildProcess

HAS_KERNEL_WALL = sys.platform == "linux"
_WATCH_SECONDS = 0.05
# For the code of the interpreter and the codec libraries (15 MiB measured), with a margin.
_LIBRARY_BYTES = 24 * 1024**2


def limit_own_memory(memory_bytes: int) -> None:
    """Make the kernel refuse this process more than ``memory_bytes``; do nothing where it cannot.

    RLIMIT_DATA counts writable memory (Linux 4.7 and later): together with the libraries, that is all that can be
    resident. RLIMIT_AS, which also counts reserved addresses, is a second limit at twice as much.
    """
    if HAS_KERNEL_WALL and memory_bytes:
        import resource  # exists on Unix only

        writable_bytes = memory_bytes - _LIBRARY_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (writable_bytes, writable_bytes))
        resource.setrlimit(resource.RLIMIT_AS, (2 * memory_bytes, 2 * memory_bytes))


class MemoryWatch:
    """Whether the watched child was killed for its memory use."""

    tripped = False


@contextlib.asynccontextmanager
async def watched(child: ChildProcess, memory_bytes: int, *, active: bool) -> AsyncIterator[MemoryWatch]:
    """Inside the block, kill the child as soon as its resident memory exceeds ``memory_bytes`` (if ``active``)."""
    watch = MemoryWatch()
    task = asyncio.create_task(_watch(child, memory_bytes, watch)) if active else None
    try:
        yield watch
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _watch(child: ChildProcess, memory_bytes: int, watch: MemoryWatch) -> None:
    import psutil  # needed only where the kernel offers no limit

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(child.pid)
        while child.is_alive:
            if process.memory_info().rss > memory_bytes:
                watch.tripped = True
                process.kill()
                return
            await asyncio.sleep(_WATCH_SECONDS)
