"""The decode child with pictures that kill it, as a hole in a codec would."""

import os
import signal
from pathlib import Path

from generation.child.frames import Frame
from generation.images import worker

real_answer = worker.answer


def answer(frame: Frame) -> Frame:
    """Die of ``DIE SIGNAL``, and of ``DIE SIGNAL ONCE PATH`` + a picture as long as the path does not exist."""
    data = frame.blobs[0]
    if not data.startswith(b"DIE "):
        return real_answer(frame)
    words, _, picture = data.partition(b"\n")
    _, name, *once = words.decode().split()
    if once and Path(once[1]).exists():
        return real_answer(Frame(frame.kind, frame.fields, (picture,)))
    if once:
        Path(once[1]).touch()
    os.kill(os.getpid(), signal.Signals[name])
    signal.pause()  # whatever the signal does, no answer is given
    raise AssertionError("not reached")


if __name__ == "__main__":
    worker.answer = answer
    worker.main()
