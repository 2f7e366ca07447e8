"""A mask becomes the alpha of the picture: what it marks, how it may be drawn, and which masks are refused."""

import pytest
from PIL import Image

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.masks import require_same_shape
from generation.images.refusals import Refusal
from generation.images.scan import is_clean
from generation.images.transparency import lies_on_white, repaint_mask, without_white
from generation.sentences import error_sentence
from tests import pictures
from tests.pictures import as_stored, encoded, exif, mean_difference, opened, photo

TOO_LARGE = pictures.png_header(6000, 6000) + pictures.png_chunk(b"IDAT", b"")
LEFT, RIGHT = (0, 0, 48, 64), (48, 0, 96, 64)


def mask(*, size: tuple[int, int] = (96, 64), left: int = 0, right: int = 255) -> Image.Image:
    """Return a mask with one grey on the left and one on the right."""
    image = Image.new("L", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


async def masked(decoder: ImageDecoder, marks: Image.Image, picture: Image.Image | None = None) -> Image.Image:
    """Return the clean picture that a picture and its mask become."""
    clean = await decoder.decode(encoded(picture or photo(), "PNG"), encoded(marks, "PNG"))
    assert is_clean(clean.data)
    return opened(clean.data)


async def test_white_is_repainted_black_is_kept_and_all_colours_stay(decoder: ImageDecoder) -> None:
    clean = await masked(decoder, mask())
    assert clean.mode == "RGBA"
    assert clean.convert("RGB") == photo()
    assert without_white(clean) == photo()  # what generation starts from
    assert repaint_mask(clean.getchannel("A")).getbbox() == (46, 0, 96, 64)  # and a margin of two pixels


async def test_greys_are_soft_edges_from_the_threshold_of_transparency_on(decoder: ImageDecoder) -> None:
    soft = mask()
    soft.paste(5, (0, 0, 20, 64))
    soft.paste(100, (40, 0, 48, 64))
    alpha = (await masked(decoder, soft)).getchannel("A")
    assert [alpha.getpixel((x, 30)) for x in (10, 30, 44, 70)] == [250, 255, 155, 1]
    assert repaint_mask(alpha).getbbox() == (38, 0, 96, 64)


@pytest.mark.parametrize("colour", ["white", "red", "lime", "blue", "yellow"])
async def test_strokes_on_a_transparent_layer_are_a_mask(decoder: ImageDecoder, colour: str) -> None:
    layer = Image.new("RGBA", (96, 64), (0, 0, 0, 0))
    layer.paste(colour, RIGHT)
    assert (await masked(decoder, layer)).getchannel("A") == (await masked(decoder, mask())).getchannel("A")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
async def test_a_mask_may_have_any_format(decoder: ImageDecoder, format_name: str) -> None:
    clean = opened((await decoder.decode(encoded(photo(), "JPEG"), encoded(mask(), format_name))).data)
    exact = (await masked(decoder, mask())).getchannel("A")
    assert mean_difference(clean.getchannel("A").convert("RGB"), exact.convert("RGB")) < 4


async def test_what_is_transparent_already_is_filled_and_repainted_too(decoder: ImageDecoder) -> None:
    alpha = Image.new("L", (96, 64), 255)
    alpha.paste(0, (0, 0, 20, 64))
    cut = photo()
    cut.putalpha(alpha)
    clean = await masked(decoder, mask(), cut)
    assert repaint_mask(clean.getchannel("A")).crop(LEFT).getbbox() == (0, 0, 48, 64)
    assert repaint_mask(clean.getchannel("A")).getpixel((30, 30)) == 0
    assert not lies_on_white(clean)
    assert clean.convert("RGB").crop((22, 0, 96, 64)) == photo().crop((22, 0, 96, 64))
    assert mean_difference(clean.convert("RGB").crop((0, 0, 20, 64)), Image.new("RGB", (20, 64), "white")) > 60


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_both_are_turned_upright_before_they_meet(decoder: ImageDecoder, orientation: int) -> None:
    scene, marks = photo(24, 16), mask(size=(24, 16)).convert("RGB")
    turned = encoded(as_stored(scene, orientation), "PNG", exif=exif(orientation))
    clean = opened((await decoder.decode(turned, encoded(marks, "PNG"))).data)
    assert clean.convert("RGB") == scene
    assert clean.getchannel("A").getpixel((20, 8)) == 1
    turned = encoded(as_stored(marks, orientation), "PNG", exif=exif(orientation))
    other = opened((await decoder.decode(encoded(scene, "PNG"), turned)).data)
    assert other.tobytes() == clean.tobytes()


async def test_a_mask_of_another_size_is_resized(decoder: ImageDecoder) -> None:
    for size in ((48, 32), (192, 128), (47, 32)):
        clean = await masked(decoder, mask(size=size))
        alpha = clean.getchannel("A")
        assert clean.size == (96, 64)
        assert (alpha.getpixel((20, 30)), alpha.getpixel((80, 30))) == (255, 1)
    large = encoded(photo(2400, 1600), "JPEG")
    clean = await decoder.decode(large, encoded(mask(), "PNG"))
    assert (clean.width, clean.original_width) == (2048, 2400)


@pytest.mark.parametrize(
    ("size", "mask_size", "fits"),
    [
        ((1024, 683), (512, 341), True),
        ((1024, 683), (512, 342), True),
        ((1024, 683), (64, 43), True),
        ((512, 512), (514, 512), True),
        ((512, 512), (512, 515), False),
        ((1024, 683), (512, 512), False),
        ((1024, 683), (683, 1024), False),
        ((1024, 683), (512, 345), False),
    ],
)
def test_only_the_same_shape_fits(size: tuple[int, int], mask_size: tuple[int, int], fits: bool) -> None:
    for one, other in ((size, mask_size), (mask_size, size)):
        if fits:
            require_same_shape(one, other)
            continue
        with pytest.raises(ImageRefused) as refused:
            require_same_shape(one, other)
        assert refused.value.reason == Refusal.MASK_OF_ANOTHER_SHAPE
        sentence = error_sentence(refused.value)
        assert all(f"{width} × {height}" in sentence for width, height in (one, other))


@pytest.mark.parametrize(
    ("marks", "refusal"),
    [
        (mask(right=0), Refusal.MASK_MARKS_NOTHING),
        (mask(left=3, right=127), Refusal.MASK_MARKS_NOTHING),
        (mask(left=255), Refusal.MASK_MARKS_EVERYTHING),
        (mask(left=6), Refusal.MASK_MARKS_EVERYTHING),
    ],
)
async def test_a_mask_that_marks_nothing_or_everything_is_refused(
    decoder: ImageDecoder, marks: Image.Image, refusal: Refusal
) -> None:
    with pytest.raises(ImageRefused) as refused:
        await masked(decoder, marks)
    assert refused.value.reason == refusal


async def test_nor_may_the_mask_and_the_transparent_parts_leave_nothing(decoder: ImageDecoder) -> None:
    cut = photo()
    cut.putalpha(mask(left=0, right=255))
    with pytest.raises(ImageRefused) as refused:
        await masked(decoder, mask(), cut)
    assert refused.value.reason == Refusal.MASK_MARKS_EVERYTHING


@pytest.mark.parametrize(
    ("data", "refusal", "sentence"),
    [
        (b"", Refusal.EMPTY, "This file is empty."),
        (b"%PDF-1.7 and so on", Refusal.FOREIGN_FORMAT, "This is a PDF document."),
        (pictures.scan_bomb(400, 400, 100), Refusal.TOO_MANY_SCANS, "This JPEG picture has more than 64 scans"),
        (TOO_LARGE, Refusal.TOO_MANY_PIXELS, "This PNG picture has more than 25 megapixels"),
        (encoded(photo(), "PNG")[:200], Refusal.DAMAGED, "This PNG picture is damaged"),
        (bytes(26 * 1024 * 1024), Refusal.TOO_MANY_BYTES, "This file is larger than 25 MiB."),
    ],
)
async def test_a_bad_mask_is_refused_like_a_bad_picture(
    decoder: ImageDecoder, data: bytes, refusal: Refusal, sentence: str
) -> None:
    with pytest.raises(ImageRefused) as refused:
        await decoder.decode(encoded(photo(), "PNG"), data)
    assert refused.value.reason == refusal
    assert error_sentence(refused.value).startswith(f"Your mask can't be used. {sentence}")
    with pytest.raises(ImageRefused) as refused:
        await decoder.decode(data, encoded(mask(), "PNG"))
    assert error_sentence(refused.value).startswith(sentence)
