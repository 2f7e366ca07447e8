"""Encodes result files: the best encoding within a byte limit, with the parameters and no other metadata."""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from generation.errors import ImageRefused
from generation.images.metadata import EmbeddedParameters, read_embedded
from generation.images.png import encode_png
from generation.images.refusals import Refusal

JPEG_QUALITIES = (95, 90, 85, 80, 75, 70, 65, 60)


def encode_picture(image: Image.Image, embedded: EmbeddedParameters, *, max_bytes: int) -> tuple[bytes, str]:
    """Encode an RGB picture as PNG, else lossless WebP, else JPEG of decreasing quality; return (file, media type).

    Raises ImageRefused (``result_too_large``) if not even JPEG at quality 60 fits into ``max_bytes``.
    """
    # A picture's `info` may hold a file's profile and comments; its pixels cannot.
    pixels = Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    for data, media_type in _encodings(pixels, embedded):
        if len(data) <= max_bytes:
            return data, media_type
    raise ImageRefused(Refusal.RESULT_TOO_LARGE, max_bytes=max_bytes)


def encode_smaller(data: bytes, *, max_bytes: int) -> tuple[bytes, str]:
    """Re-encode a result file to fit into ``max_bytes``, keeping its embedded parameters.

    Raises ImageRefused (``result_too_large``), and OSError for a file that is not ours.
    """
    embedded = read_embedded(data)
    with Image.open(BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
        return encode_picture(image, embedded, max_bytes=max_bytes)


def _encodings(image: Image.Image, embedded: EmbeddedParameters) -> Iterator[tuple[bytes, str]]:
    def saved(format_name: str, **options: object) -> bytes:
        file = BytesIO()
        image.save(file, format_name, **options)
        return file.getvalue()

    yield encode_png(image, embedded.png_info()), "image/png"
    exif = embedded.exif()
    yield saved("WEBP", lossless=True, exif=exif), "image/webp"
    for quality in JPEG_QUALITIES:
        yield saved("JPEG", quality=quality, optimize=True, exif=exif), "image/jpeg"
