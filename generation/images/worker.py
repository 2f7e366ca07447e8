"""The decode child: ``python -m generation.images.worker MEMORY_BYTES`` handles the pictures that its parent sends."""

import hashlib
import sys
from dataclasses import asdict

from PIL import AvifImagePlugin

from generation.child.confinement import confine
from generation.child.frames import Frame
from generation.child.worker import claim_pipes, end_with_parent
from generation.errors import ImageRefused
from generation.images.decode import decode_picture, refusing_surprises
from generation.images.encode import encode_smaller
from generation.images.memory_wall import limit_own_memory
from generation.images.refusals import Refusal

# Each codec thread reserves address space; on a large machine, one per core would exceed the limit by itself.
AVIF_THREADS = 2


def answer(frame: Frame) -> Frame:
    """Handle a ``decode`` or ``encode_smaller`` frame; a refusal for lack of memory marks the child as spent.

    A second blob of ``decode`` is the mask.
    """
    data = frame.blobs[0]
    try:
        if frame.kind == "decode":
            fields = asdict(decode_picture(*frame.blobs))
            clean = fields.pop("data")
            return Frame("decoded", {**fields, "sha256": hashlib.sha256(data).hexdigest()}, (clean,))
        with refusing_surprises("result"):
            encoded, media_type = encode_smaller(data, max_bytes=frame.fields["max_bytes"])
        return Frame("encoded", {"media_type": media_type}, (encoded,))
    except ImageRefused as error:
        is_spent = error.reason == Refusal.TOO_MUCH_MEMORY
        return Frame("refused", {"reason": error.reason, "data": error.data, "is_spent": is_spent})


def main() -> None:
    """Work until the parent is gone."""
    pipe = claim_pipes()
    end_with_parent()
    confine()
    limit_own_memory(int(sys.argv[1]))
    AvifImagePlugin.DEFAULT_MAX_THREADS = AVIF_THREADS
    pipe.answer_in_a_thread(lambda: answer)


if __name__ == "__main__":
    main()
