"""The safety child: ``python -m generation.safety.worker`` looks at the pictures that its parent sends."""

import logging
import os
import queue
import threading

from generation.child.frames import Frame
from generation.child.worker import ParentPipe, claim_pipes, end_with_parent
from generation.safety.picture import PictureClassifier

log = logging.getLogger(__name__)


def answer(classifier: PictureClassifier, frame: Frame) -> Frame:
    """Return the verdict on the picture of a ``check`` frame, or ``failed`` with the kind of the error alone."""
    try:
        found = classifier.look_at(frame.blobs[0])
    except Exception as error:  # whatever it was: there is no verdict, and the parent refuses
        return Frame("failed", {"error": type(error).__name__})
    scores = {str(label): score for label, score in found.verdict.scores.items()}
    return Frame("verdict", {"scores": scores, "perceptual_hash": found.perceptual_hash})


def main() -> None:
    """Work until the parent is gone; the model has a thread of its own, so that even a busy child notices that."""
    pipe = claim_pipes()
    end_with_parent()
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_work, args=(pipe, frames), daemon=True).start()
    pipe.serve(frames.put)


def _work(pipe: ParentPipe, frames: "queue.SimpleQueue[Frame]") -> None:
    try:
        classifier = PictureClassifier()
        pipe.send("ready")
        while True:
            reply = answer(classifier, frames.get())
            pipe.send(reply.kind, **reply.fields)
    finally:
        os._exit(1)  # without this thread the process would live on and never answer


if __name__ == "__main__":
    main()
