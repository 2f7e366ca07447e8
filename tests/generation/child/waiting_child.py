"""A child that reports that it is ready and waits for its parent to end it."""

import sys

from generation.child.frames import Frame

if __name__ == "__main__":
    sys.stdout.buffer.write(Frame("ready").pack())
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
