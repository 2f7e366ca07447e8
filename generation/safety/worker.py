"""The safety child: ``python -m generation.safety.worker`` classifies the pictures that its parent sends."""

from functools import partial

from generation.child.confinement import confine
from generation.child.frames import Frame
from generation.child.worker import claim_pipes, end_with_parent
from generation.safety.picture import PictureClassifier


def answer(classifier: PictureClassifier, frame: Frame) -> Frame:
    """Return the verdict on the picture of a ``check`` frame, or ``failed`` with the error's type and nothing else."""
    try:
        found = classifier.look_at(frame.blobs[0])
    except Exception as error:  # whatever it was, there is no verdict, and the parent refuses
        return Frame("failed", {"error": type(error).__name__})
    scores = {str(label): score for label, score in found.verdict.scores.items()}
    return Frame("verdict", {"scores": scores, "perceptual_hash": found.perceptual_hash})


def main() -> None:
    """Work until the parent is gone."""
    pipe = claim_pipes()
    end_with_parent()
    confine()
    pipe.answer_in_a_thread(lambda: partial(answer, PictureClassifier()))


if __name__ == "__main__":
    main()
