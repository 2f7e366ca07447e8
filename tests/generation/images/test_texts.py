"""Texts are found in files as Pillow writes them, and hostile files cost nothing and yield nothing."""

import random
import struct
import zlib

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from generation.images.texts import COMMENT_KEY, MAX_TEXT_BYTES, TEXT_KEY, continues_at, read_texts
from tests.pictures import encoded, exif, jpeg_with_segment, photo, png

TEXT = "a red fox\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5"
CHARACTERS = "Größe, Привет, 世界 🦊"
ROWS = [b"\0\0\0"]


def comment(text: str, code: bytes = b"UNICODE\0", encoding: str = "utf-16-be") -> bytes:
    """Return EXIF with a UserComment."""
    block = Image.Exif()
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = code + text.encode(encoding)
    return block.tobytes()


def with_texts(*texts: tuple[str, str], is_compressed: bool = False) -> bytes:
    info = PngInfo()
    for keyword, text in texts:
        info.add_text(keyword, text, zip=is_compressed)
    return encoded(photo(), "PNG", pnginfo=info)


def test_all_texts_of_a_png_are_read_of_equal_keywords_the_first() -> None:
    data = with_texts((TEXT_KEY, TEXT), ("Title", CHARACTERS), (TEXT_KEY, "another"))
    assert read_texts(data) == {TEXT_KEY: TEXT, "Title": CHARACTERS}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_plain_text_may_be_in_either_encoding(encoding: str) -> None:
    data = png(1, 1, ROWS, before=[(b"tEXt", b"parameters\0" + "Größe".encode(encoding))])
    assert read_texts(data) == {TEXT_KEY: "Größe"}


def test_texts_behind_the_pixels_count_where_they_are_there() -> None:
    assert read_texts(png(1, 1, ROWS, after=[(b"tEXt", b"parameters\0later")])) == {TEXT_KEY: "later"}


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
@pytest.mark.parametrize("text", [TEXT, CHARACTERS + TEXT])
@pytest.mark.parametrize(
    ("code", "encoding"),
    [
        (b"UNICODE\0", "utf-16-be"),
        (b"UNICODE\0", "utf-16-le"),
        (b"UNICODE\0\xff\xfe", "utf-16-le"),
        (b"ASCII\0\0\0", "utf-8"),
        (bytes(8), "utf-8"),
    ],
)
def test_the_comment_of_jpeg_and_webp_in_every_code(format_name: str, text: str, code: bytes, encoding: str) -> None:
    data = encoded(photo(), format_name, exif=comment(text, code, encoding))
    assert read_texts(data) == {COMMENT_KEY: text}


def test_a_comment_in_big_endian_exif_behind_other_segments() -> None:
    block = comment(TEXT)
    assert block[:8] == b"Exif\0\0MM"  # otherwise the next test would repeat this one
    data = jpeg_with_segment(encoded(photo(), "JPEG", exif=block), 0xFE, b"a comment of its own")
    assert read_texts(data) == {COMMENT_KEY: TEXT}


def test_a_comment_in_little_endian_exif() -> None:
    body = b"ASCII\0\0\0" + TEXT.encode()
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack("<HHHIII", 1, 0x9286, 7, len(body), 44, 0)
    block = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + first + second + body
    assert read_texts(jpeg_with_segment(encoded(photo(), "JPEG"), 0xE1, block)) == {COMMENT_KEY: TEXT}


def test_a_webp_says_where_it_goes_on_behind_its_pixels() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((128, 128), 80)] * 3)
    data = encoded(noise, "WEBP", lossless=True, exif=comment(TEXT))
    beginning = data[:4096]
    position = continues_at(beginning)
    assert position is not None
    assert read_texts(beginning) == {}
    assert read_texts(beginning, data[position:]) == {COMMENT_KEY: TEXT}
    within = data[: position + 20]  # EXIF has begun
    assert continues_at(within) == position
    assert continues_at(data) is None
    for other in (encoded(noise, "WEBP", lossless=True), encoded(noise, "PNG"), encoded(noise, "JPEG"), b""):
        assert continues_at(other[:4096]) is None


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "GIF"])
def test_pictures_without_texts_have_none(format_name: str) -> None:
    assert read_texts(encoded(photo(), format_name)) == {}
    if format_name in ("JPEG", "WEBP"):
        assert read_texts(encoded(photo(), format_name, exif=exif(1, artist="somebody"))) == {}


@pytest.mark.parametrize("data", [b"", b"words", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", bytes(99)])
def test_what_is_no_picture_has_none(data: bytes) -> None:
    assert read_texts(data) == {}
    assert continues_at(data) is None


def test_nothing_is_inflated() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    chunks = [(b"zTXt", b"parameters\0\0" + bomb), (b"iTXt", b"parameters\0\1\0\0\0" + bomb)]
    assert read_texts(png(1, 1, ROWS, before=chunks)) == {}
    assert read_texts(with_texts((TEXT_KEY, TEXT), is_compressed=True)) == {}


def test_of_a_flood_of_chunks_the_first_are_looked_at() -> None:
    flood = [(b"abCd", b"")] * 2_000
    assert read_texts(png(1, 1, ROWS, before=[*flood, (b"tEXt", b"parameters\0late")])) == {}
    assert read_texts(png(1, 1, ROWS, before=[(b"tEXt", b"parameters\0soon"), *flood])) == {TEXT_KEY: "soon"}
    jpeg = encoded(photo(), "JPEG", exif=comment(TEXT))
    segment = b"\xff\xfe\0\2"
    assert read_texts(jpeg[:2] + segment * 100 + jpeg[2:]) == {COMMENT_KEY: TEXT}
    assert read_texts(jpeg[:2] + segment * 2_000 + jpeg[2:]) == {}


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32 - 1])
def test_a_length_that_lies_ends_the_reading(length: int) -> None:
    data = png(1, 1, ROWS, before=[(b"tEXt", b"parameters\0text")])
    assert read_texts(data[:33] + struct.pack(">I", length) + data[37:]).get(TEXT_KEY) is None
    webp = encoded(photo(), "WEBP", lossless=True, exif=comment(TEXT))
    at = webp.index(b"EXIF") + 4
    assert read_texts(webp[:at] + struct.pack("<I", length) + webp[at + 4 :]).get(COMMENT_KEY) in (None, TEXT)


def test_a_text_that_is_too_long_is_left_alone() -> None:
    long = "x" * (MAX_TEXT_BYTES + 1)
    assert read_texts(with_texts((TEXT_KEY, long), ("Title", "short"))) == {"Title": "short"}
    data = encoded(photo(), "WEBP", exif=comment(long, bytes(8), "utf-8"))
    assert long.encode() in data
    assert read_texts(data) == {}


def test_what_is_not_the_encoding_that_it_says_is_read_all_the_same() -> None:
    data = png(1, 1, ROWS, before=[(b"iTXt", b"parameters\0\0\0\0\0caf\xe9 \xff\xfe")])
    assert read_texts(data)[TEXT_KEY].startswith("caf\xe9")
    lone = encoded(photo(), "JPEG", exif=comment("", b"UNICODE\0\0a\xd8\0\0b", "utf-8"))
    assert read_texts(lone) == {COMMENT_KEY: "a\N{REPLACEMENT CHARACTER}b"}


FILES = {
    "PNG": with_texts((TEXT_KEY, TEXT), ("Title", CHARACTERS)),
    "JPEG": encoded(photo(), "JPEG", exif=comment(TEXT)),
    "WebP": encoded(photo(), "WEBP", lossless=True, exif=comment(TEXT)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_may_end_anywhere(name: str) -> None:
    data = FILES[name]
    whole = read_texts(data)
    assert whole
    for length in range(len(data)):
        beginning = data[:length]
        assert read_texts(beginning).items() <= whole.items()
        position = continues_at(beginning)
        rest = b"" if position is None else data[position:]
        assert read_texts(beginning, rest).items() <= whole.items()


@pytest.mark.parametrize("name", FILES)
def test_a_file_may_be_damaged_anywhere(name: str) -> None:
    chance = random.Random(name)
    for _ in range(2_000):
        data = bytearray(FILES[name])
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(12, min(len(data), 600))] = chance.choice((0, 0xFF, chance.randrange(256)))
        continues_at(bytes(data))
        texts = read_texts(bytes(data), bytes(data[-400:]))
        assert all(len(text) <= len(data) for text in texts.values())
