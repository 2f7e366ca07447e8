"""The parent's handle on a child process that exchanges frames over its standard streams."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import Self

from generation.child.frames import Frame, read_frame
from generation.child.worker import PARENT_PID_VARIABLE
from generation.errors import ExecutorError

_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TMPDIR",
    "TEMP",
    "LANG",
    "TZ",
)
# From 1.29 on, onnxruntime reports every session to Microsoft unless this is set (its Privacy.md). It is loaded by the
# picture check, and where it is installed by diffusers too.
_NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}


class ChildProcess:
    """A running ``python -m MODULE`` that receives frames on stdin, sends them on stdout and logs to our stderr."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        # Two readers that wait on one stream at the same time can block each other for ever.
        self._reading = asyncio.Lock()

    @classmethod
    async def spawn(
        cls, module: str, *arguments: str, environment: Mapping[str, str] | None = None, trusted: bool = True
    ) -> Self:
        """Start a fresh interpreter (never a fork: it would share CUDA contexts and locks); raise ExecutorError.

        ``environment`` is added to ours. A child that is not ``trusted`` inherits only the variables that an
        interpreter needs, and no tokens.
        """
        inherited = os.environ if trusted else {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**inherited, **_NO_TELEMETRY, **(environment or {}), PARENT_PID_VARIABLE: str(os.getpid())},
            )
        except OSError as error:
            raise ExecutorError(f"{module} could not be started: {error.strerror}") from error
        return cls(process)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the child is not known to have ended."""
        return self._process.returncode is None

    async def send(self, frame: Frame) -> None:
        """Send a message; if the child is gone, ``receive`` will notice, not this."""
        with contextlib.suppress(ConnectionError):
            self._stdin.write(frame.pack())
            await self._stdin.drain()

    async def receive(self) -> Frame | None:
        """Wait for the next message; return None when the child has closed its end."""
        async with self._reading:
            return await read_frame(self._stdout)

    async def get_ready(self, seconds: float) -> None:
        """Wait for the child's first message, which says that it is ready; raise ExecutorError if it does not come."""
        try:
            async with asyncio.timeout(seconds):
                ready = await self.receive()
        except BaseException as error:  # even a cancellation: nobody else may know of this child yet
            await self.kill()
            if isinstance(error, TimeoutError):
                raise ExecutorError(f"a child was not ready after {seconds:.0f} s") from None
            raise
        if ready is None:
            raise ExecutorError(f"a child ended at its start with status {await self.wait()}")

    async def wait(self) -> int:
        """Wait for the process to end; return its exit status (negative: the signal that ended it)."""
        return await self._process.wait()

    async def close(self, grace_seconds: float = 2.0) -> int:
        """Close the child's stdin, which tells it to end; kill it after ``grace_seconds``; return its exit status."""
        self._stdin.close()
        try:
            return await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End the child at once and return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self._send_kill()
        self._stdin.close()
        # asyncio's wait() returns only once the pipes are closed (python/cpython#119710), so a full one has to be read.
        async with self._reading:  # another reader finishes, because the child's death ends the stream
            await self._stdout.read()
        return await self._process.wait()

    def _send_kill(self) -> None:
        """Kill the child without polling whether it has ended, because the first to poll consumes its exit status.

        Python 3.11's own ``kill`` polls, and then asyncio, which is waiting for it, reports 255
        (python/cpython#127049).
        """
        if sys.platform == "win32":
            self._process.kill()
        elif self.is_alive:
            os.kill(self._process.pid, signal.SIGKILL)
