"""Inspects the structure of a file before a codec does, where the codec would take too long or read too much."""

import re
import struct
import zlib
from collections.abc import Iterator

MAX_CLEAN_SIDE = 2048
MAX_SCANS = 64
MAX_SEGMENTS = 4_096
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# A marker is FF and a byte that is neither a stuffed zero, nor fill, nor a restart marker, nor TEM (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")


def count_scans(data: bytes) -> int:
    """Count the scans of a JPEG, up to 65: a progressive file of 300 KB may hold minutes' worth of them.

    More than 4,096 segments count as too many scans as well. Source of the bomb: "Two Issues with the JPEG Standard",
    https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf
    """
    scans = segments = 0
    position = 2
    while scans <= MAX_SCANS and (marker := _MARKER.search(data, position)):
        code = marker[1][0]
        position = marker.end()
        if code == _END_OF_IMAGE:
            break
        if code == _START_OF_SCAN:
            scans += 1
        segments += 1
        if segments > MAX_SEGMENTS:
            return MAX_SCANS + 1
        # The length of a segment counts its own two bytes; the entropy-coded data after SOS is skipped by the search.
        position += int.from_bytes(data[position : position + 2])
    return scans


def without_text_chunks(data: bytes) -> bytes:
    """Return a PNG without its text chunks (PNG specification, 11.3.3), which are not used here and may be bombs.

    Anything that does not look like a chunk is left for the decoder to judge.
    """
    parts = []
    start = 0
    for kind, position, end in png_chunks(data):
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            parts.append(data[start:position])
            start = end
    return b"".join((*parts, data[start:])) if parts else data


def has_sound_pixels(data: bytes) -> bool:
    """Tell whether the checksums of a PNG's pixels (IDAT) are right; Pillow does not check these, but all others."""
    view = memoryview(data)
    return all(
        zlib.crc32(view[position + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        for kind, position, end in png_chunks(data)
        if kind == b"IDAT" and end <= len(data)
    )


def with_alpha_announced(data: bytes) -> bytes:
    """Return an animated WebP with the flag for alpha set, without which Pillow paints what no frame covers black.

    Programs leave it out if no frame has alpha itself. WebP container specification, "Extended File Format".
    """
    is_animated = data[12:16] == b"VP8X" and len(data) > 20 and data[20] & 0x02
    return data[:20] + bytes((data[20] | 0x10,)) + data[21:] if is_animated else data


def is_clean(data: bytes) -> bool:
    """Tell by its header whether a picture is what the decode child produces: an 8-bit RGB or RGBA PNG, not too large.

    Whatever a compromised child returned would otherwise be passed on to others. PNG specification, 11.2.2.
    """
    if len(data) < 26 or data[:16] != PNG_SIGNATURE + b"\0\0\0\x0dIHDR":
        return False
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    return 0 < width <= MAX_CLEAN_SIDE and 0 < height <= MAX_CLEAN_SIDE and (depth, colour_type) in ((8, 2), (8, 6))


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of everything in a PNG that looks like a chunk; the last may extend past the file."""
    position = len(PNG_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        yield kind, position, end
        position = end
