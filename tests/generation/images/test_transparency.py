"""What counts as transparent, what is filled there, and that everything else stays as it is."""

import pytest
from PIL import Image, ImageDraw

from generation.images.decoder import ImageDecoder
from generation.images.transparency import alpha_of, filled, has_transparency, repaint_mask, under_kept_parts
from tests.pictures import as_stored, encoded, exif, mean_difference, opened, photo


def cut_out(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a picture that is transparent outside a box."""
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, box)
    cut = image.copy()
    cut.putalpha(alpha)
    return cut


@pytest.mark.parametrize(
    ("transparent_pixels", "value", "counts"), [(100, 0, True), (99, 0, False), (9_999, 128, False)]
)
def test_a_picture_is_transparent_if_a_visible_part_is_more_so_than_not(
    transparent_pixels: int, value: int, counts: bool
) -> None:
    alpha = Image.new("L", (100, 100), 255)
    alpha.putdata([value] * transparent_pixels + [255] * (10_000 - transparent_pixels))
    image = photo(100, 100)
    image.putalpha(alpha)
    assert (alpha_of(image) is not None) is counts
    assert alpha_of(image.convert("RGB")) is None


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "GIF", "AVIF"])
async def test_the_decoder_keeps_the_alpha_beside_the_colours_on_white(decoder: ImageDecoder, format_name: str) -> None:
    cut = cut_out(photo(), (0, 0, 48, 64))
    clean = await decoder.decode(encoded(cut, format_name))
    picture = opened(clean.data)
    assert has_transparency(clean.data)
    assert picture.mode == "RGBA"
    assert mean_difference(picture.getchannel("A"), cut.getchannel("A")) < 2
    assert picture.convert("RGB").getpixel((90, 30)) == (255, 255, 255)
    opaque = await decoder.decode(encoded(photo(), format_name))
    assert not has_transparency(opaque.data)
    assert opened(opaque.data).mode == "RGB"


async def test_what_no_frame_of_an_animated_webp_covers_is_transparent_even_if_the_file_does_not_say_so(
    decoder: ImageDecoder,
) -> None:
    frame = encoded(photo().crop((0, 0, 48, 64)), "WEBP", quality=95)[12:]
    place = bytes(6) + b"\x2f\0\0\x3f\0\0" + b"\x64\0\0\0"  # top left, 48 x 64, for 100 ms
    chunks = b"".join(
        kind + len(content).to_bytes(4, "little") + content
        for kind, content in (
            (b"VP8X", b"\x02\0\0\0\x5f\0\0\x3f\0\0"),  # animated, no alpha, 96 x 64
            (b"ANIM", bytes(6)),
            (b"ANMF", place + frame),
            (b"ANMF", place + frame),
        )
    )
    clean = await decoder.decode(b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks)
    assert clean.width == 96
    assert repaint_mask(opened(clean.data).getchannel("A")).getbbox() == (46, 0, 96, 64)
    assert opened(clean.data).convert("RGB").getpixel((80, 30)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_alpha_and_colours_are_turned_alike(decoder: ImageDecoder, orientation: int) -> None:
    scene = cut_out(photo(24, 16), (0, 0, 12, 10))
    stored = encoded(as_stored(scene, orientation), "PNG", exif=exif(orientation))
    clean = opened((await decoder.decode(stored)).data)
    assert clean.getchannel("A").tobytes() == scene.getchannel("A").tobytes()


def test_soft_edges_and_two_pixels_around_them_are_repainted() -> None:
    alpha = Image.new("L", (20, 1), 255)
    alpha.paste(0, (0, 0, 8, 1))
    alpha.putpixel((8, 0), 200)
    assert repaint_mask(alpha).tobytes() == b"\xff" * 11 + b"\0" * 9


def test_what_is_filled_has_the_colours_around_it() -> None:
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 31, 63), fill=(200, 40, 0))
    ImageDraw.Draw(image).rectangle((32, 0, 63, 63), fill=(0, 40, 200))
    mask = Image.new("L", image.size, 0)
    mask.paste(255, (8, 8, 56, 56))
    image.paste((255, 255, 255), mask=mask)
    result = filled(image, mask)
    assert Image.composite(Image.new("RGB", image.size), result, mask).tobytes() == (
        Image.composite(Image.new("RGB", image.size), image, mask).tobytes()
    )
    row = result.crop((8, 32, 56, 33)).tobytes()
    red, green, blue = row[0::3], row[1::3], row[2::3]
    assert red[0] > 160 > 120 > red[24] > 60 > 40 > red[-1]  # from red on the left to blue on the right
    assert blue[0] < 40 < 60 < blue[24] < 120 < 160 < blue[-1]
    assert 34 <= min(green) <= max(green) <= 46  # and nowhere white


@pytest.mark.parametrize("side", [1, 10, 40])
def test_little_is_enough_to_fill_the_rest(side: int) -> None:
    image, mask = Image.new("RGB", (512, 384), "white"), Image.new("L", (512, 384), 255)
    for each, value in ((image, (200, 150, 100)), (mask, 0)):
        each.paste(value, (300, 200, 300 + side, 200 + side))
    for band, value in zip(filled(image, mask).split(), (200, 150, 100), strict=True):
        assert all(abs(each - value) <= 6 for each in band.tobytes())


def test_nothing_or_all_may_be_filled() -> None:
    image = photo()
    assert filled(image, Image.new("L", image.size, 0)) == image
    assert filled(image, Image.new("L", image.size, 255)) == Image.new("RGB", image.size, "grey")


def test_what_is_opaque_is_kept_and_soft_edges_stay_soft_without_the_white_under_them() -> None:
    image, painted = Image.new("RGB", (20, 1), "white"), Image.new("RGB", (20, 1), (0, 0, 0))
    image.paste((200, 40, 0), (8, 0, 20, 1))  # the pixel before it is half white
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (8, 0, 20, 1))
    alpha.putpixel((7, 0), 128)
    result = under_kept_parts(painted, image, alpha).tobytes()
    assert result == bytes(9 * 3) + bytes((100, 20, 0)) + bytes((200, 40, 0)) * 10


def test_a_lossy_alpha_is_opaque_all_the_same() -> None:
    image = photo()
    assert under_kept_parts(Image.new("RGB", image.size), image, Image.new("L", image.size, 251)) == image
