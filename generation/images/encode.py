"""Encodes result files: the best encoding within a limit of bytes, with the parameters and no other metadata."""

import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from generation.errors import ImageRefused
from generation.images.metadata import EmbeddedParameters, read_embedded
from generation.images.refusals import Refusal

# How PNGs are written. What PNG's filters leave has little but runs: with them alone photographs are as small as with
# zlib's level 4 and written in half the time; its usual level 6 takes five times as long for 3 % less.
PNG_STRATEGY = zlib.Z_RLE
JPEG_QUALITIES = (95, 90, 85, 80, 75, 70, 65, 60)


def encode_picture(image: Image.Image, embedded: EmbeddedParameters, *, max_bytes: int) -> tuple[bytes, str]:
    """Encode an RGB picture as PNG, else lossless WebP, else JPEG of falling quality; return (file, media type).

    Raises ImageRefused (``result_too_large``) if not even JPEG at quality 60 fits into ``max_bytes``.
    """
    # The `info` of a picture may hold a file's profile and comments; its pixels do not.
    pixels = Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    for data, media_type in _encodings(pixels, embedded):
        if len(data) <= max_bytes:
            return data, media_type
    raise ImageRefused(Refusal.RESULT_TOO_LARGE, max_bytes=max_bytes)


def encode_smaller(data: bytes, *, max_bytes: int) -> tuple[bytes, str]:
    """Encode a result file again so that it fits into ``max_bytes``, with the parameters that it carries.

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

    yield saved("PNG", compress_type=PNG_STRATEGY, pnginfo=embedded.png_info()), "image/png"
    exif = embedded.exif()
    yield saved("WEBP", lossless=True, exif=exif), "image/webp"
    for quality in JPEG_QUALITIES:
        yield saved("JPEG", quality=quality, optimize=True, exif=exif), "image/jpeg"
