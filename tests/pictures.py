"""Makes test pictures of every kind, from whole photographs down to single chunks and segments."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6  # PNG's colour types

# EXIF 2.32, tag 274: which side of the scene the first row and the first column of the stored picture show.
FIRST_ROW_AND_COLUMN = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


# Found by a search for what the classifier takes for a body: the background, and ellipses as x, y, half-axes, colour.
_FLESH_GROUND = (91, 192, 132)
_FLESH = (
    (173, 185, 58, 81, 204, 147, 112),
    (166, 39, 50, 82, 205, 117, 108),
    (124, 40, 64, 48, 137, 127, 100),
    (199, 0, 30, 75, 165, 126, 103),
    (76, 27, 31, 1, 240, 174, 70),
    (107, 92, 59, 82, 203, 76, 212),
    (103, 11, 5, 103, 250, 162, 95),
    (110, 207, 44, 76, 196, 142, 124),
    (129, 121, 62, 72, 181, 108, 117),
)


def flesh() -> Image.Image:
    """Return blurred ellipses that look like nothing to a person but get more than 0.9 from the classifier."""
    image = Image.new("RGB", (256, 256), _FLESH_GROUND)
    draw = ImageDraw.Draw(image)
    for x, y, half_width, half_height, *colour in _FLESH:
        draw.ellipse((x - half_width, y - half_height, x + half_width, y + half_height), fill=tuple(colour))
    return image.filter(ImageFilter.GaussianBlur(6))


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """Return a smooth, asymmetric RGB picture: a sky, a sun, a hill, a red house on its left."""
    full_size, (width, height) = (width, height), (192, 128)
    sky = Image.linear_gradient("L").resize((width, height))
    side = Image.linear_gradient("L").rotate(90).resize((width, height))
    image = Image.merge(
        "RGB", (side, sky.point([80 + v // 2 for v in range(256)]), sky.point([255 - v // 2 for v in range(256)]))
    )
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.7, height * 0.1, width * 0.85, height * 0.3), fill=(255, 220, 60))
    draw.ellipse((width * 0.3, height * 0.6, width * 1.3, height * 1.6), fill=(40, 130, 50))
    draw.rectangle((width * 0.1, height * 0.55, width * 0.3, height * 0.9), fill=(190, 40, 30))
    # No sharp edges, so that compression artefacts are not mistaken for wrong colours.
    return image.filter(ImageFilter.GaussianBlur(4)).resize(full_size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    """Return the picture as a file."""
    file = BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """Return the loaded picture of a file."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean absolute difference, out of 255, of two RGB pictures of equal size."""
    assert one.size == other.size
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def as_stored(scene: Image.Image, orientation: int) -> Image.Image:
    """Return how a camera that records this EXIF orientation stores a scene (pixel by pixel: keep it small)."""
    row_side, column_side = FIRST_ROW_AND_COLUMN[orientation]
    is_sideways = row_side in ("left", "right")
    width, height = (scene.height, scene.width) if is_sideways else scene.size
    stored = Image.new(scene.mode, (width, height))
    last_x, last_y = scene.width - 1, scene.height - 1

    def place(side: str, index: int) -> int:
        return {"left": index, "top": index, "right": last_x - index, "bottom": last_y - index}[side]

    for row in range(height):
        for column in range(width):
            along_row, along_column = place(row_side, row), place(column_side, column)
            at = (along_row, along_column) if is_sideways else (along_column, along_row)
            stored.putpixel((column, row), scene.getpixel(at) or 0)
    return stored


def exif(orientation: int = 1, **texts: str) -> bytes:
    """Return EXIF with an orientation, and an artist, GPS coordinates and the like if given."""
    block = Image.Exif()
    block[274] = orientation
    if artist := texts.get("artist"):
        block[315] = artist
        block.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0), 29: artist})
    return block.tobytes()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, colour_type: int = COLOUR, interlace: int = 0) -> bytes:
    """Return signature and IHDR."""
    fields = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    return PNG_SIGNATURE + png_chunk(b"IHDR", fields)


def png(
    width: int,
    height: int,
    rows: Iterable[bytes],
    *,
    depth: int = 8,
    colour_type: int = COLOUR,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """Return a PNG of packed rows, with additional chunks before and after its pixels."""
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"".join(
        (
            png_header(width, height, depth, colour_type),
            *(png_chunk(kind, data) for kind, data in before),
            png_chunk(b"IDAT", pixels),
            *(png_chunk(kind, data) for kind, data in after),
            png_chunk(b"IEND", b""),
        )
    )


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Split a PNG into (kind, data)."""
    chunks = []
    position = len(PNG_SIGNATURE)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def sixteen_bits(image: Image.Image) -> list[bytes]:
    """Return the rows of a picture with every sample as 16 bits (big-endian), low byte equal to the high one."""
    samples = image.tobytes()
    wide = bytes(value for sample in samples for value in (sample, sample))
    stride = len(wide) // image.height
    return [wide[i : i + stride] for i in range(0, len(wide), stride)]


def jpeg_segments(data: bytes) -> list[tuple[int, bytes]]:
    """Return marker and content of the segments before the first scan."""
    segments = []
    position = 2
    while (marker := data[position + 1]) != 0xDA:
        length = int.from_bytes(data[position + 2 : position + 4])
        segments.append((marker, data[position + 4 : position + 2 + length]))
        position += 2 + length
    return segments


def jpeg_without(data: bytes, marker: int) -> bytes:
    """Return a JPEG without the segments of one kind."""
    kept = [(code, content) for code, content in jpeg_segments(data) if code != marker]
    head = b"".join(bytes((0xFF, code)) + struct.pack(">H", len(content) + 2) + content for code, content in kept)
    return b"\xff\xd8" + head + data[data.index(b"\xff\xda") :]


def jpeg_with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """Return a JPEG with one more segment at its start."""
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content + data[2:]


def scan_bomb(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated; each repetition costs a pass over all pixels."""
    data = encoded(Image.new("L", (width, height), 128), "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last_scan * scans + data[-2:]


def gif_frame_flood(frames: int) -> bytes:
    """Return a GIF of many one-pixel frames."""
    data = encoded(Image.new("P", (1, 1)), "GIF")
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return data[:-1] + frame * frames + b"\x3b"


def icc_profile(gamma: float, *, space: bytes = b"RGB ", description: bytes = b"a test profile") -> bytes:
    """Return a small ICC profile (version 2): sRGB's primaries and white, but a plain power curve.

    Source: ICC.1:2001-04, clauses 6.1 to 6.5.
    """

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(description) + 1) + description + b"\0" + bytes(78)
    tags = {b"desc": text + bytes(-len(text) % 4), b"wtpt": xyz(0.9642, 1, 0.8249)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {b"rXYZ": xyz(0.4361, 0.2225, 0.0139), b"gXYZ": xyz(0.3851, 0.7169, 0.0971)}
        tags |= {b"bXYZ": xyz(0.1431, 0.0606, 0.7141), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, bodies, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += struct.pack(">4sII", name, offset + len(bodies), len(body))
        bodies += body
    size = offset + len(bodies)
    head = struct.pack(">I4sI4s4s4s12x4s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    head += bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies
