"""The decode child, compromised by a picture: it tries what it should not be able to do, and reports the results."""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from generation.child.frames import Frame
from generation.images import worker


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def answer(frame: Frame) -> Frame:
    """Try everything with what the "picture" names, or pass on something that is not a clean picture."""
    if not frame.blobs[0].startswith(b"{"):
        sizes = dict.fromkeys(("width", "height", "original_width", "original_height"), 1)
        return Frame("decoded", {**sizes, "format": "PNG", "sha256": ""}, frame.blobs)
    named = json.loads(frame.blobs[0])
    parent = os.getppid()
    attempts: dict[str, Callable[[], object]] = {
        "read": Path(named["file"]).read_bytes,
        "write": lambda: Path(named["file"]).with_name("new").write_bytes(b""),
        "environment": Path(f"/proc/{parent}/environ").read_bytes,
        "memory": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
        "program": lambda: subprocess.run(["/bin/true"], check=True),
        "connection": lambda: socket.create_connection(("127.0.0.1", named["port"])),
        "signal": lambda: os.kill(parent, 0),
    }
    told = {name: outcome(attempt) for name, attempt in attempts.items()}
    return Frame("refused", {"reason": "damaged", "data": told, "is_spent": False})


if __name__ == "__main__":
    worker.answer = answer
    worker.main()
