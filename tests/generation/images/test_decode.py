"""What comes out of the decode child, and what does not: over a hundred generated files of all kinds."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator

import pytest

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.formats import Format, sniff
from generation.images.refusals import Refusal
from generation.images.scan import is_clean
from generation.sentences import error_sentence
from tests import pictures
from tests.generation.images import samples
from tests.pictures import encoded, exif, opened, photo

CANARY = "CANARY-7f3a91"


@pytest.mark.parametrize("kind", [samples.good_pngs, samples.good_jpegs, samples.good_gifs_webps_and_avifs])
async def test_good_pictures_come_out_as_they_look(
    kind: Callable[[], Iterator[samples.Good]], decoder: ImageDecoder
) -> None:
    wrong = {}
    names = set()
    for sample in kind():
        clean = await decoder.decode(sample.data)
        picture = opened(clean.data)
        assert (picture.format, picture.size) == ("PNG", (clean.width, clean.height))
        assert is_clean(clean.data), sample.name
        assert clean.format == sample.format, sample.name
        difference = pictures.mean_difference(picture.convert("RGB"), sample.expected)
        if difference > sample.tolerance:
            wrong[sample.name] = difference
        names.add(sample.name)
    assert wrong == {}
    assert len(names) > 30


async def test_bad_pictures_are_refused_with_a_reason(decoder: ImageDecoder) -> None:
    names = set()
    for sample in samples.bad():
        with pytest.raises(ImageRefused) as refused:
            await decoder.decode(sample.data)
        assert refused.value.reason == sample.refusal, sample.name
        assert refused.value.data.items() >= dict(sample.data_shown).items(), sample.name
        names_it_and_a_remedy(refused.value)
        names.add(sample.name)
    assert len(names) > 30


def names_it_and_a_remedy(error: ImageRefused) -> None:
    """Assert that a refusal names the format, if known, and says what to do."""
    sentence = error_sentence(error)
    assert re.fullmatch(
        r"This [^\n]+\. Please [^\n]*\b(send|save|download|export|develop|unpack)\b[^\n.]+\.", sentence
    ), sentence
    format_name = error.data.get("format", "")
    # A foreign format has its own wording, such as "web page" for HTML.
    assert error.reason == Refusal.FOREIGN_FORMAT or format_name in sentence


async def test_foreign_files_are_refused_by_name(decoder: ImageDecoder) -> None:
    for name, data in samples.foreign():
        with pytest.raises(ImageRefused) as refused:
            await decoder.decode(data)
        assert refused.value.reason == Refusal.FOREIGN_FORMAT, name
        assert refused.value.data == {"format": name}
        names_it_and_a_remedy(refused.value)
    heic = next(data for name, data in samples.foreign() if name == "HEIC")
    with pytest.raises(ImageRefused) as refused:
        await decoder.decode(heic)
    assert error_sentence(refused.value) == "This is a HEIC photo. Please send it as a JPEG or PNG."


async def test_damage_of_every_kind_is_survived_by_one_child(decoder: ImageDecoder) -> None:
    pid = decoder.pid
    chance = random.Random(7)
    outcomes = set()
    for format_name in ("PNG", "JPEG", "GIF", "WEBP", "AVIF"):
        whole = encoded(photo(48, 32), format_name)
        for _ in range(30):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                outcomes.add((await decoder.decode(bytes(data))).format)
            except ImageRefused as error:
                outcomes.add(error.reason)
    assert {Format.JPEG, Format.WEBP, Refusal.DAMAGED} <= outcomes  # some damage is harmless
    assert decoder.pid == pid


async def test_original_size_is_that_of_the_upright_picture(decoder: ImageDecoder) -> None:
    clean = await decoder.decode(encoded(photo(4200, 2100), "JPEG", exif=exif(6)))
    assert (clean.original_width, clean.original_height) == (2100, 4200)
    assert (clean.width, clean.height) == (1024, 2048)


async def test_sha256_is_that_of_the_bytes_as_sent(decoder: ImageDecoder) -> None:
    data = encoded(photo(), "GIF") + b"trailing bytes count too"
    assert (await decoder.decode(data)).sha256 == hashlib.sha256(data).hexdigest()


def marked_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield pictures with the canary in every place where a format stores anything but pixels."""
    image = photo()
    marks = {"exif": exif(1, artist=CANARY), "xmp": f"<x:xmpmeta>{CANARY}</x:xmpmeta>".encode()}
    profile = pictures.icc_profile(2.2, description=CANARY.encode())
    jpeg = encoded(image, "JPEG", icc_profile=profile, comment=CANARY, **marks)
    yield (
        "jpeg",
        pictures.jpeg_with_segment(jpeg, 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x10" + CANARY.encode()),
    )
    text = pictures.png_chunk(b"tEXt", b"Comment\0" + CANARY.encode())
    png = encoded(image, "PNG", icc_profile=profile, exif=marks["exif"])
    yield "png", png[:33] + text + png[33:] + CANARY.encode()
    yield "webp", encoded(image, "WEBP", icc_profile=profile, **marks)
    yield "avif", encoded(image, "AVIF", icc_profile=profile, **marks)
    yield "gif", encoded(image.quantize(16), "GIF", comment=CANARY)


async def test_nothing_but_pixels_gets_through(decoder: ImageDecoder) -> None:
    for name, data in marked_pictures():
        assert CANARY.encode() in data or name == "png", "the canary must be in what is sent"
        clean = await decoder.decode(data)
        chunks = pictures.png_chunks(clean.data)
        assert {kind for kind, _ in chunks} == {b"IHDR", b"IDAT", b"IEND"}, name
        assert opened(clean.data).info == {}
        assert CANARY.encode() not in clean.data + opened(clean.data).tobytes()


def test_the_content_decides_and_not_the_beginning_of_another_format() -> None:
    assert sniff(encoded(photo(), "PNG")) is Format.PNG
    assert sniff(b"RIFF\0\0\0\0WEBX") is None
    assert [sniff(data) for data in (b"", b"\x89PNG", b"\xff")] == [None, None, None]
