"""Reads the texts in a picture's file without a codec: PNG text chunks, and the EXIF comment in JPEG and WebP.

The input may be any bytes, or part of a file. Nothing is decompressed, no length in the file is trusted, and where
there is too much only the beginning is read. Compressed texts are ignored: none of the programs whose settings are read
here writes them, and they may be bombs.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from generation.images.formats import Format, sniff
from generation.images.scan import png_chunks

# The keywords of PNG texts, the second one our own; the EXIF comment is treated as another keyword.
TEXT_KEY, RECORD_KEY, COMMENT_KEY = "parameters", "palimpsest", "UserComment"
MAX_TEXT_BYTES = 64 * 1024  # as much as a JPEG segment can hold
_MAX_BLOCKS = 1_000  # chunks, segments or entries of a directory

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}  # TIFF 6.0, section 2
_EXIF_DIRECTORY, _USER_COMMENT = 0x8769, 0x9286
_BYTES, _CHARACTERS, _UNDEFINED = 1, 2, 7  # types of one byte each
_EXIF_MARK = b"Exif\0\0"
_HAS_EXIF = 0x08  # in the flags of WebP's VP8X chunk


def read_texts(beginning: bytes, rest: bytes = b"") -> dict[str, str]:
    """Return the texts of a PNG, JPEG or WebP file by keyword, the first for a repeated keyword; {} for other bytes.

    ``rest`` is the part of the file that begins at ``continues_at``.
    """
    match sniff(beginning):
        case Format.PNG:
            return _png_texts(beginning)
        case Format.JPEG:
            comment = _user_comment(_exif_of_jpeg(beginning))
        case Format.WEBP:
            comment = _user_comment(_exif_of_webp(beginning, 12) or _exif_of_webp(rest, 0))
        case _:
            return {}
    return {COMMENT_KEY: comment} if comment else {}


def continues_at(beginning: bytes) -> int | None:
    """Return where to continue reading a WebP file whose EXIF lies beyond ``beginning``; None for all other files.

    WebP stores EXIF after the pixels. Source: https://developers.google.com/speed/webp/docs/riff_container
    """
    is_extended = sniff(beginning) is Format.WEBP and beginning[12:16] == b"VP8X" and len(beginning) > 20
    if not is_extended or not beginning[20] & _HAS_EXIF:
        return None
    for kind, position, end in _riff_chunks(beginning, 12):
        if end > len(beginning):
            return position if kind == b"EXIF" else end
    return None


def _png_texts(data: bytes) -> dict[str, str]:
    """Read tEXt chunks and uncompressed iTXt chunks. PNG specification, 11.3.3."""
    texts: dict[str, str] = {}
    for kind, position, end in islice(png_chunks(data), _MAX_BLOCKS):
        if kind not in (b"tEXt", b"iTXt") or end > len(data) or end - position > MAX_TEXT_BYTES:
            continue
        keyword, _, text = data[position + 8 : end - 4].partition(b"\0")
        if kind == b"iTXt":
            is_compressed, (*_, text) = text[:1] != b"\0", text[2:].split(b"\0", 2)
            if is_compressed:
                continue
        texts.setdefault(keyword.decode("latin-1"), _decoded(text))
    return texts


def _decoded(text: bytes) -> str:
    """Decode as UTF-8, which some programs write where Latin-1 is required, otherwise as Latin-1."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _exif_of_jpeg(data: bytes) -> bytes:
    """Return the EXIF block before the first scan, as much of it as is present. EXIF 2.32, 4.7.2."""
    position = 2
    for _ in range(_MAX_BLOCKS):
        mark, length = data[position : position + 2], int.from_bytes(data[position + 2 : position + 4])
        start, end = position + 4, position + 2 + length
        if mark[:1] != b"\xff" or mark == b"\xff\xda":
            break
        if mark == b"\xff\xe1" and data.startswith(_EXIF_MARK, start):
            return data[start + len(_EXIF_MARK) : end]
        position = end
    return b""


def _exif_of_webp(data: bytes, position: int) -> bytes:
    for kind, start, end in _riff_chunks(data, position):
        if kind == b"EXIF":
            return data[start + 8 : end].removeprefix(_EXIF_MARK)
    return b""


def _riff_chunks(data: bytes, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of everything that looks like a chunk; the last may extend past the data."""
    for _ in range(_MAX_BLOCKS):
        if position + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        yield kind, position, end
        position = end


def _user_comment(exif: bytes) -> str:
    """Return the comment of an EXIF block, or an empty string if none can be read. EXIF 2.32, 4.6.5."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return ""
    try:
        directory = struct.unpack_from(f"{order}I", exif, 4)[0]
        with suppress(LookupError):  # Fooocus writes the comment into the first directory
            _, directory = _entry(exif, order, directory, _EXIF_DIRECTORY)
        length, position = _entry(exif, order, directory, _USER_COMMENT)
    except (struct.error, LookupError):
        return ""
    comment = exif[position : position + length]
    return _comment_text(comment) if len(comment) == length <= MAX_TEXT_BYTES else ""


def _entry(exif: bytes, order: str, directory: int, wanted: int) -> tuple[int, int]:
    """Return count and value of a directory entry; raise LookupError, or struct.error where the data ends."""
    count = struct.unpack_from(f"{order}H", exif, directory)[0]
    for index in range(min(count, _MAX_BLOCKS)):
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", exif, directory + 2 + 12 * index)
        if tag == wanted and (wanted == _EXIF_DIRECTORY or kind in (_BYTES, _CHARACTERS, _UNDEFINED)):
            return length, value
    raise LookupError(wanted)


def _comment_text(comment: bytes) -> str:
    """Decode a UserComment, whose first eight bytes should name its character code. EXIF 2.32, table 9.

    The byte order of UTF-16 is the one that makes more characters Latin: A1111 writes the high byte first, other
    programs use the byte order of the EXIF block.
    """
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        is_high_first = text[0::2].count(0) >= text[1::2].count(0)
        return text.decode("utf-16-be" if is_high_first else "utf-16-le", "replace").removeprefix("\ufeff")
    if code == b"JIS\0\0\0\0\0":
        return ""
    return _decoded(text if code in (b"ASCII\0\0\0", bytes(8)) else comment).rstrip("\0")
