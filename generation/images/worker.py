"""The decode child: ``python -m generation.images.worker MEMORY_BYTES`` decodes the pictures that its parent sends."""

import hashlib
import os
import queue
import sys
import threading
from dataclasses import asdict

from PIL import AvifImagePlugin

from generation.child.frames import Frame
from generation.child.worker import ParentPipe, claim_pipes, end_with_parent
from generation.errors import ImageRefused
from generation.images.decode import decode_picture
from generation.images.memory_wall import limit_own_memory
from generation.images.refusals import Refusal

# Each thread of a codec reserves address space, so on a large machine one per core would hit the wall by itself.
AVIF_THREADS = 2


def answer(pipe: ParentPipe, data: bytes) -> None:
    """Decode one picture and send either ``decoded`` or ``refused``."""
    try:
        decoded = asdict(decode_picture(data))
    except ImageRefused as error:
        pipe.send("refused", reason=str(error.reason), data=error.data, spent=error.reason == Refusal.TOO_MUCH_MEMORY)
    else:
        pipe.send("decoded", decoded.pop("data"), sha256=hashlib.sha256(data).hexdigest(), **decoded)


def main() -> None:
    """Decode until the parent is gone; decoding has a thread of its own, so that even a busy child notices that."""
    pipe = claim_pipes()
    end_with_parent()
    limit_own_memory(int(sys.argv[1]))
    AvifImagePlugin.DEFAULT_MAX_THREADS = AVIF_THREADS
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def decode_all() -> None:
        try:
            while True:
                answer(pipe, frames.get().blobs[0])
        finally:
            os._exit(1)  # without this thread the process would live on and never answer

    threading.Thread(target=decode_all, daemon=True).start()
    pipe.send("ready")
    pipe.serve(frames.put)


if __name__ == "__main__":
    main()
