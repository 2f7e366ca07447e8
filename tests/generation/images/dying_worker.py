"""The decode child with pictures that kill it, as a vulnerability in a codec would."""

import os
import signal

from generation.child.frames import Frame
from generation.images import worker

real_answer = worker.answer


def answer(frame: Frame) -> Frame:
    """Die by ``DIE SIGNAL``; by ``DIE SIGNAL PID`` + a picture only as process PID, any other decodes the picture."""
    data = frame.blobs[0]
    if not data.startswith(b"DIE "):
        return real_answer(frame)
    words, _, picture = data.partition(b"\n")
    _, name, *only = words.decode().split()
    if only and int(only[0]) != os.getpid():
        return real_answer(Frame(frame.kind, frame.fields, (picture,)))
    os.kill(os.getpid(), signal.Signals[name])
    signal.pause()  # whatever the signal does, never answer
    raise AssertionError("not reached")


if __name__ == "__main__":
    worker.answer = answer
    worker.main()
