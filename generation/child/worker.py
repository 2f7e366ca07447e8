"""What a child process does first: claim its pipes and make sure that it ends with its parent."""

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from generation.child.frames import Frame, read_frame_blocking

PARENT_PID_VARIABLE = "PALIMPSEST_PARENT_PID"
_PR_SET_PDEATHSIG = 1  # Linux, <sys/prctl.h>


class ParentPipe:
    """The child's end of the pipes, usable from any thread."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer
        self._lock = threading.Lock()

    def receive(self) -> Frame | None:
        """Wait for the next message; return None when the parent is gone."""
        return read_frame_blocking(self._reader)

    def send(self, kind: str, /, *blobs: bytes, **fields: object) -> None:
        """Send a message; end the process if nobody is left to read it."""
        data = Frame(kind, dict(fields), blobs).pack()
        try:
            with self._lock:
                self._writer.write(data)
                self._writer.flush()
        except OSError:
            os._exit(0)

    def serve(self, handle: Callable[[Frame], None]) -> None:
        """Pass every message to ``handle``; end the process when the parent is gone, whatever its threads are doing."""
        while (frame := self.receive()) is not None:
            handle(frame)
        os._exit(0)

    def answer_in_a_thread(self, make_answer: Callable[[], Callable[[Frame], Frame]]) -> None:
        """Answer each message with one, in a separate thread, so that even a busy child notices its parent's end.

        ``make_answer`` is called in that thread, and ``ready`` is sent once it has returned.
        """
        frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()

        def work() -> None:
            try:
                answer = make_answer()
                self.send("ready")
                while True:
                    reply = answer(frames.get())
                    self.send(reply.kind, *reply.blobs, **reply.fields)
            finally:
                os._exit(1)  # without this thread the process would live on without ever answering

        threading.Thread(target=work, daemon=True).start()
        self.serve(frames.put)


def claim_pipes() -> ParentPipe:
    """Take over stdin and stdout for frames; from now on, whatever a library prints goes to stderr."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return ParentPipe(reader, writer)


def end_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; end it now if the parent is already gone.

    The closing pipe says the same on every system, but the thread that reads it needs the interpreter lock, which
    native code may hold for a long time; the kernel needs nothing. Ctrl+C in a terminal and SIGTERM from a service
    manager such as systemd reach parent and child alike: the parent decides what to do, the child ignores them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)  # unlike SIG_IGN, not inherited by programs that a compiler starts
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if str(os.getppid()) != os.environ.get(PARENT_PID_VARIABLE):  # it died before prctl was called
            os._exit(0)
