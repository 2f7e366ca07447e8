"""The files on which the decode child is tested: what must come out of each, or why it must be refused."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from generation.images.refusals import Refusal
from tests import pictures
from tests.pictures import COLOUR, COLOUR_ALPHA, GREY, GREY_ALPHA, PALETTE, encoded, exif, photo, png

LOSSLESS = 0.6  # rounding only
LOSSY = 2.0  # of 255, against the picture that was encoded


@dataclass(frozen=True, kw_only=True)
class Good:
    """A file that is accepted; ``expected`` is the upright RGB picture that must come out, within ``tolerance``."""

    name: str
    data: bytes
    format: str
    expected: Image.Image
    tolerance: float = LOSSLESS


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A file that is refused, and what the refusal must contain."""

    name: str
    data: bytes
    refusal: Refusal
    data_shown: tuple[tuple[str, object], ...] = ()


def over_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """Composite a picture over white, as everyone expects of transparency."""
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), alpha)


def good_pngs() -> Iterator[Good]:
    """Yield PNGs of all colour types and depths, and unusual ones."""
    image = photo()
    grey = image.convert("L")
    alpha = Image.radial_gradient("L").resize(image.size)
    palette = image.quantize(16)
    row_of_values = bytes(range(16))  # 4 bit: the values 0 to 15, two pixels a byte
    nibbles = bytes(a << 4 | b for a, b in zip(row_of_values[::2], row_of_values[1::2], strict=True))
    steps = Image.frombytes("L", (16, 1), bytes(v * 17 for v in range(16))).resize((16, 4), Image.Resampling.NEAREST)

    def sample(name: str, data: bytes, expected: Image.Image, **more: object) -> Good:
        return Good(name=f"png {name}", data=data, format="PNG", expected=expected.convert("RGB"), **more)  # pyright: ignore[reportArgumentType]

    yield sample("rgb", encoded(image, "PNG"), image)
    yield sample("grey", encoded(grey, "PNG"), grey)
    with_alpha = image.copy()
    with_alpha.putalpha(alpha)
    yield sample("rgba", encoded(with_alpha, "PNG"), over_white(image, alpha))
    grey_alpha = Image.merge("LA", (grey, alpha))
    yield sample("grey alpha", encoded(grey_alpha, "PNG"), over_white(grey, alpha))
    yield sample("palette", encoded(palette, "PNG"), palette)
    opaque = palette.point([0 if value == 3 else 255 for value in range(256)], "L")
    yield sample("palette one transparent", encoded(palette, "PNG", transparency=3), over_white(palette, opaque))
    alphas = bytes(255 - 12 * index for index in range(16))
    by_index = palette.point([*alphas, *[255] * 240], "L")
    yield sample("palette alphas", encoded(palette, "PNG", transparency=alphas), over_white(palette, by_index))
    bilevel = grey.convert("1")
    yield sample("1 bit", encoded(bilevel, "PNG"), bilevel)
    yield sample("1 bit transparent", encoded(bilevel, "PNG", transparency=0), Image.new("RGB", image.size, "white"))
    yield sample("4 bit grey", png(16, 4, [nibbles] * 4, depth=4, colour_type=GREY), steps)
    see_through = steps.point([0 if value == 5 * 17 else 255 for value in range(256)])
    four_bit = png(16, 4, [nibbles] * 4, depth=4, colour_type=GREY, before=[(b"tRNS", b"\0\x05")])
    yield sample("4 bit grey transparent", four_bit, over_white(steps, see_through))
    two_bit = Image.frombytes("L", (4, 1), bytes((0, 85, 170, 255)))
    yield sample("2 bit grey", png(4, 1, [b"\x1b"], depth=2, colour_type=GREY), two_bit)
    colours = bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9))
    four_colours = Image.frombytes("RGB", (4, 1), colours)
    data = png(4, 1, [b"\x1b"], depth=2, colour_type=PALETTE, before=[(b"PLTE", colours)])
    yield sample("2 bit palette", data, four_colours)
    two_tone = Image.new("RGB", (8, 8), (10, 20, 30))
    two_tone.paste((200, 100, 50), (0, 0, 4, 8))
    mask = Image.new("L", (8, 8), 0)
    mask.paste(255, (0, 0, 4, 8))
    yield sample("rgb transparent", encoded(two_tone, "PNG", transparency=(10, 20, 30)), over_white(two_tone, mask))
    shy = png(
        8, 8, pictures.sixteen_bits(two_tone), depth=16, before=[(b"tRNS", struct.pack(">HHH", 2570, 5140, 7710))]
    )
    yield sample("16 bit rgb transparent", shy, over_white(two_tone, mask))
    wide = {"rgb": (image, COLOUR), "grey": (grey, GREY), "rgba": (with_alpha, COLOUR_ALPHA)}
    wide["grey alpha"] = (grey_alpha, GREY_ALPHA)
    for name, (source, colour_type) in wide.items():
        rows = pictures.sixteen_bits(source)
        expected = over_white(source, alpha) if "a" in source.mode.lower()[1:] else source
        yield sample(f"16 bit {name}", png(*image.size, rows, depth=16, colour_type=colour_type), expected)
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    hidden = ramp.point([0 if value == 7 else 255 for value in range(256)])
    data = png(
        256, 1, pictures.sixteen_bits(ramp), depth=16, colour_type=GREY, before=[(b"tRNS", struct.pack(">H", 7 * 257))]
    )
    yield sample("16 bit grey transparent", data, over_white(ramp, hidden))
    yield sample("animated", encoded(image, "PNG", save_all=True, append_images=[grey]), image)
    yield sample("zip behind it", encoded(image, "PNG") + b"PK\x03\x04 and more", image)
    yield sample("16 million text bytes", text_bomb(image), image)
    dot = Image.new("RGB", (1, 1), (1, 2, 3))
    yield sample("one pixel", encoded(dot, "PNG"), dot)
    yield sample("very tall", encoded(dot.resize((1, 16_384)), "PNG"), dot.resize((1, 2048)))
    yield sample("very wide", encoded(dot.resize((16_384, 1)), "PNG"), dot.resize((2048, 1)))
    large = photo(2400, 1600)
    yield sample("large", encoded(large, "PNG", compress_level=1), large.resize((2048, 1365), Image.Resampling.LANCZOS))
    yield sample(
        "25 megapixels", encoded(Image.new("1", (5000, 5000), 1), "PNG"), Image.new("RGB", (2048, 2048), "white")
    )
    linear = Image.new("RGB", (16, 16), (55, 55, 55))  # linear light .216 is 128 of 255 in sRGB
    yield sample(
        "icc linear",
        encoded(linear, "PNG", icc_profile=pictures.icc_profile(1.0)),
        Image.new("RGB", (16, 16), (128, 128, 128)),
        tolerance=1.5,
    )
    grey_profile = pictures.icc_profile(1.0, space=b"GRAY")
    data = encoded(linear.convert("L"), "PNG", icc_profile=grey_profile)
    yield sample("icc linear grey", data, Image.new("RGB", (16, 16), (128, 128, 128)), tolerance=1.5)
    yield sample("icc broken", encoded(image, "PNG", icc_profile=b"no profile at all" * 20), image)
    yield sample("icc of another kind", encoded(image, "PNG", icc_profile=grey_profile), image)
    for orientation in pictures.FIRST_ROW_AND_COLUMN:
        turned = encoded(pictures.as_stored(image, orientation), "PNG", exif=exif(orientation))
        yield sample(f"orientation {orientation}", turned, image)
    frames = [Image.new("RGB", (4, 4), (value, 0, 0)) for value in range(256)]
    flood = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:] * 4)
    yield sample("frame flood", flood, frames[0])
    lying = pictures.png(
        16, 4, [nibbles] * 4, depth=4, colour_type=GREY, before=[(b"sBIT", b"\x04"), (b"gAMA", b"\0" * 4)]
    )
    yield sample("4 bit grey with odd chunks", lying, steps)


def good_jpegs() -> Iterator[Good]:
    """Yield JPEGs of all kinds and orientations."""
    image = photo()

    def sample(name: str, data: bytes, expected: Image.Image = image, tolerance: float = LOSSY) -> Good:
        return Good(
            name=f"jpeg {name}", data=data, format="JPEG", expected=expected.convert("RGB"), tolerance=tolerance
        )

    yield sample("rgb", encoded(image, "JPEG", quality=95))
    yield sample("full chroma", encoded(image, "JPEG", quality=95, subsampling=0))
    yield sample("progressive", encoded(image, "JPEG", quality=95, progressive=True))
    yield sample("restart markers", encoded(image, "JPEG", quality=95, restart_marker_rows=1))
    yield sample("poor", encoded(image, "JPEG", quality=20), tolerance=8)
    yield sample("grey", encoded(image.convert("L"), "JPEG", quality=95), image.convert("L"))
    yield sample("broken exif", encoded(image, "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense"))
    yield sample("broken icc", encoded(image, "JPEG", quality=95, icc_profile=b"no profile" * 50))
    polyglot = encoded(image, "JPEG", quality=95, comment="%PDF-1.7 <script>alert(1)</script>")
    yield sample("that is a document too", polyglot)
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    yield sample("orientation in xmp only", encoded(image, "JPEG", quality=95, xmp=xmp))
    yield sample("comment", encoded(image, "JPEG", quality=95, comment="made on a rainy day"))
    yield sample("html behind it", encoded(image, "JPEG", quality=95) + b"<html><script>alert(1)</script>")
    yield sample("of several pictures", encoded(image, "MPO", quality=95, save_all=True, append_images=[image]))
    linear = Image.new("RGB", (16, 16), (55, 55, 55))
    profile = pictures.icc_profile(1.0)
    yield sample(
        "icc linear", encoded(linear, "JPEG", icc_profile=profile), Image.new("RGB", (16, 16), (128, 128, 128))
    )
    for orientation in pictures.FIRST_ROW_AND_COLUMN:
        stored = encoded(
            pictures.as_stored(image, orientation), "JPEG", quality=95, subsampling=0, exif=exif(orientation)
        )
        yield sample(f"orientation {orientation}", stored)
    yield sample("orientation 9", encoded(image, "JPEG", quality=95, exif=exif(9)))
    inks = {"white": (0, 0, 0, 0), "cyan": (255, 0, 0, 0), "black": (0, 0, 0, 255), "brown": (0, 128, 255, 64)}
    printed = {"white": (255, 255, 255), "cyan": (0, 255, 255), "black": (0, 0, 0), "brown": (191, 95, 0)}
    for name, ink in inks.items():
        adobe = encoded(Image.new("CMYK", (16, 16), ink), "JPEG", quality=100)
        yield sample(f"cmyk adobe {name}", adobe, Image.new("RGB", (16, 16), printed[name]))
        # Without Adobe's marker, inks are not inverted, so the same bytes are the opposite colours.
        opposite = Image.new("CMYK", (16, 16), tuple(255 - value for value in ink))
        plain = pictures.jpeg_without(encoded(opposite, "JPEG", quality=100), 0xEE)
        yield sample(f"cmyk plain {name}", plain, Image.new("RGB", (16, 16), printed[name]))
    # YCCK: Adobe's marker says that the first three channels are luma and chroma, which libjpeg converts to inks.
    luma, *chroma = Image.new("RGB", (1, 1), (64, 160, 255)).convert("YCbCr").tobytes()
    stored = Image.new("CMYK", (16, 16), (255 - luma, *(255 - value for value in chroma), 0))
    ycck = bytearray(encoded(stored, "JPEG", quality=100))
    ycck[ycck.index(b"Adobe") + 11] = 2
    yield sample("ycck", bytes(ycck), Image.new("RGB", (16, 16), (191, 95, 0)))
    large = photo(4500, 3000)
    yield sample(
        "13 megapixels", encoded(large, "JPEG", quality=90), large.resize((2048, 1365), Image.Resampling.LANCZOS)
    )
    strip = photo(9000, 300)
    yield sample("panorama", encoded(strip, "JPEG", quality=90), strip.resize((2048, 68), Image.Resampling.LANCZOS))


def good_gifs_webps_and_avifs() -> Iterator[Good]:
    """Yield the other three formats."""
    image = photo()
    palette = image.quantize(64)
    alpha = Image.radial_gradient("L").resize(image.size)
    with_alpha = image.copy()
    with_alpha.putalpha(alpha)
    flat = over_white(image, alpha)
    frames = {"save_all": True, "append_images": [Image.new("RGB", image.size)], "duration": 100}

    def sample(name: str, data: bytes, format_name: str, expected: Image.Image = image, **more: object) -> Good:
        return Good(name=name, data=data, format=format_name, expected=expected.convert("RGB"), **more)  # pyright: ignore[reportArgumentType]

    yield sample("gif", encoded(palette, "GIF"), "GIF", palette)
    yield sample("gif 87a", b"GIF87a" + encoded(palette, "GIF", interlace=False)[6:], "GIF", palette)
    yield sample("gif interlaced", encoded(palette, "GIF", interlace=True), "GIF", palette)
    opaque = palette.point([0 if value == 3 else 255 for value in range(256)], "L")
    yield sample("gif transparent", encoded(palette, "GIF", transparency=3), "GIF", over_white(palette, opaque))
    yield sample("gif animated", encoded(palette, "GIF", **frames), "GIF", palette)
    flood = pictures.gif_frame_flood(400_000)
    yield sample("gif frame flood", flood, "GIF", Image.new("RGB", (1, 1)))
    script = encoded(palette, "GIF", comment=b"*/=1;alert(1)/*")
    yield sample("gif that is a script", script, "GIF", palette)
    cut = encoded(palette, "GIF", **frames)
    yield sample("gif cut in its second frame", cut[:-4], "GIF", palette)
    yield sample("webp lossless", encoded(image, "WEBP", lossless=True), "WebP")
    yield sample("webp lossy", encoded(image, "WEBP", quality=95), "WebP", tolerance=LOSSY)
    yield sample("webp alpha", encoded(with_alpha, "WEBP", lossless=True, exact=True), "WebP", flat)
    moving = encoded(image, "WEBP", lossless=True, **frames)
    yield sample("webp animated", moving, "WebP")
    flood = {"save_all": True, "append_images": [Image.new("RGB", (16, 16), (value, 0, 0)) for value in range(256)]}
    first = Image.new("RGB", (16, 16), "blue")
    yield sample("webp frame flood", encoded(first, "WEBP", lossless=True, **flood), "WebP", first)
    for orientation in pictures.FIRST_ROW_AND_COLUMN:
        turned = encoded(pictures.as_stored(image, orientation), "WEBP", lossless=True, exif=exif(orientation))
        yield sample(f"webp orientation {orientation}", turned, "WebP")
    yield sample("avif", encoded(image, "AVIF", quality=95, subsampling="4:4:4"), "AVIF", tolerance=LOSSY)
    yield sample("avif alpha", encoded(with_alpha, "AVIF", quality=95), "AVIF", flat, tolerance=LOSSY)
    yield sample("avif animated", encoded(image, "AVIF", quality=95, **frames), "AVIF", tolerance=LOSSY)
    flood["append_images"] = flood["append_images"][::4]
    data = encoded(first, "AVIF", quality=95, speed=10, **flood)
    yield sample("avif frame flood", data, "AVIF", first, tolerance=LOSSY)
    for orientation in pictures.FIRST_ROW_AND_COLUMN:
        stored = encoded(pictures.as_stored(image, orientation), "AVIF", quality=95, exif=exif(orientation))
        yield sample(f"avif orientation {orientation}", stored, "AVIF", tolerance=LOSSY)


def text_bomb(image: Image.Image) -> bytes:
    """Return a PNG with 16 compressed texts of 1 MB each, which take 1 KB each in the file."""
    text = b"key\0\0" + zlib.compress(bytes(1_000_000), 9)
    data = encoded(image, "PNG")
    return data[:33] + pictures.png_chunk(b"zTXt", text) * 16 + data[33:]


def bad() -> Iterator[Bad]:
    """Yield damaged files and bombs."""
    image = photo(200, 150)
    yield Bad(name="zero bytes", data=b"", refusal=Refusal.EMPTY)
    yield Bad(name="random bytes", data=b"\x93\x01\x00\x17\xe0\xfe" * 100, refusal=Refusal.UNKNOWN_FORMAT)
    names = {"PNG": "PNG", "JPEG": "JPEG", "GIF": "GIF", "WEBP": "WebP", "AVIF": "AVIF"}
    for pillow_name, name in names.items():
        data = encoded(image, pillow_name)
        for part in (0.5, 0.9):
            cut = data[: int(len(data) * part)]
            yield Bad(name=f"{name} cut at {part}", data=cut, refusal=Refusal.DAMAGED, data_shown=(("format", name),))
        yield Bad(name=f"{name} of 16 bytes", data=data[:16], refusal=Refusal.DAMAGED)
    empty = pictures.png_chunk(b"IDAT", zlib.compress(b"")) + pictures.png_chunk(b"IEND", b"")
    limit = (("format", "PNG"), ("limit_megapixels", 25))
    for width, height in ((5001, 5000), (16_384, 16_384), (2**31 - 1, 2**31 - 1)):
        header = pictures.png_header(width, height) + empty
        yield Bad(name=f"png {width}x{height}", data=header, refusal=Refusal.TOO_MANY_PIXELS, data_shown=limit)
    strip = pictures.png_header(16_385, 10) + empty
    yield Bad(name="png too wide", data=strip, refusal=Refusal.SIDE_TOO_LONG, data_shown=(("width", 16_385),))
    yield Bad(name="png without width", data=pictures.png_header(0, 10) + empty, refusal=Refusal.DAMAGED)
    checksum = bytearray(encoded(image, "PNG"))
    checksum[-13] ^= 1  # the last byte before IEND's twelve
    yield Bad(name="png with a wrong checksum", data=bytes(checksum), refusal=Refusal.DAMAGED)
    gif = encoded(Image.new("P", (4, 4)), "GIF")
    wide_gif = gif[:6] + struct.pack("<HH", 16_385, 4) + gif[10:]
    yield Bad(name="gif too wide", data=wide_gif, refusal=Refusal.SIDE_TOO_LONG, data_shown=(("format", "GIF"),))
    avif = encoded(Image.new("RGB", (16, 16)), "AVIF")
    size = avif.index(b"ispe") + 8
    huge_avif = avif[:size] + struct.pack(">II", 16_000, 16_000) + avif[size + 8 :]
    yield Bad(name="avif 16000x16000", data=huge_avif, refusal=Refusal.TOO_MANY_PIXELS)
    huge_gif = gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:]
    yield Bad(name="gif 65535x65535", data=huge_gif, refusal=Refusal.TOO_MANY_PIXELS)
    webp = encoded(Image.new("RGB", (4, 4)), "WEBP", quality=50)
    start = webp.index(b"\x9d\x01\x2a") + 3
    huge_webp = webp[:start] + struct.pack("<HH", 16_383, 16_383) + webp[start + 4 :]
    yield Bad(name="webp 16383x16383", data=huge_webp, refusal=Refusal.TOO_MANY_PIXELS)
    jpeg = encoded(Image.new("L", (16, 16)), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    wide_jpeg = jpeg[:at] + struct.pack(">HH", 16, 16_385) + jpeg[at + 4 :]
    yield Bad(name="jpeg too wide", data=wide_jpeg, refusal=Refusal.SIDE_TOO_LONG, data_shown=(("format", "JPEG"),))
    for mode, side, megapixels in (("L", 8001, 64), ("CMYK", 7000, 48)):
        jpeg = encoded(Image.new(mode, (16, 16)), "JPEG")
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg = jpeg[:at] + struct.pack(">HH", side, side) + jpeg[at + 4 :]
        shown = (("format", "JPEG"), ("limit_megapixels", megapixels))
        yield Bad(name=f"jpeg {mode} {side}", data=jpeg, refusal=Refusal.TOO_MANY_PIXELS, data_shown=shown)
    yield Bad(name="scan bomb", data=pictures.scan_bomb(4000, 4000, 2000), refusal=Refusal.TOO_MANY_SCANS)
    large_bomb = pictures.scan_bomb(64, 64, 500_000)
    yield Bad(name="scan bomb of many bytes", data=large_bomb, refusal=Refusal.TOO_MANY_SCANS)
    segments = b"\xff\xd8" + b"\xff\xfe\x00\x02" * 1_000_000 + encoded(image, "JPEG")[2:]
    yield Bad(name="segment flood", data=segments, refusal=Refusal.TOO_MANY_SCANS)
    profile = b"icc\0\0" + zlib.compress(bytes(50_000_000), 9)
    data = encoded(image, "PNG")
    bomb = data[:33] + pictures.png_chunk(b"iCCP", profile) + data[33:]
    yield Bad(name="profile bomb", data=bomb, refusal=Refusal.TOO_MUCH_METADATA)


def foreign() -> Iterator[tuple[str, bytes]]:
    """Yield (name of the format, file) for every format that is refused by name."""
    image = photo(32, 32)
    for name in ("BMP", "TIFF", "ICO", "DDS", "QOI"):
        yield name, encoded(image, name)
    yield "PNM", encoded(image, "PPM")
    yield "JPEG 2000", encoded(image, "JPEG2000")
    yield "PDF", encoded(image, "PDF")
    yield "EPS", encoded(image, "EPS")
    yield "TIFF", b"MM\0*\0\0\0\x08" + bytes(64)
    yield "RAW", b"II*\0\x10\0\0\0CR\x02\0" + bytes(64)
    yield "RAW", b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(64)
    for brands in (b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"msf1\0\0\0\0hevcmsf1"):
        yield "HEIC", struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(64)
    yield "MP4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(64)
    yield "QuickTime", b"\0\0\0\x14ftypqt  \0\0\x02\0qt  " + bytes(64)
    yield "WebM", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm"
    yield "AVI", b"RIFF\x24\0\0\0AVI LIST" + bytes(32)
    yield "sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(32)
    yield "sound", b"ID3\x04\0\0\0\0\0\x0aTIT2"
    yield "Ogg", b"OggS\0\x02" + bytes(32)
    yield "PSD", b"8BPS\0\x01" + bytes(32)
    yield "XCF", b"gimp xcf v011\0" + bytes(32)
    yield "EXR", b"\x76\x2f\x31\x01\x02\0\0\0"
    yield "JPEG XL", b"\xff\x0a" + bytes(32)
    yield "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(32)
    yield "archive", b"PK\x03\x04\x14\0" + bytes(32)
    yield "archive", b"\x1f\x8b\x08\0" + bytes(32)
    yield "program", b"MZ\x90\0\x03" + bytes(32)
    yield "SVG", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "HTML", b"\n<!DOCTYPE html><html><body>404</body></html>"
    yield "JSON", b'{"message": "This content is no longer available."}'
    yield "text", "Hello, this is my picture: 🌄".encode()
    yield "text", "Grüße".encode("utf-16")
