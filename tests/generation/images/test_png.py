"""The PNGs written here can be read by other decoders, and contain what they were given."""

import io
import itertools

import png
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generation.images.png import encode_png
from playground.demo import PHOTOGRAPHS
from tests.pictures import photo


@pytest.mark.parametrize("size", [(1, 1), (7, 129), (128, 128), (333, 127), (2, 256)])
def test_a_decoder_that_is_not_pillow_reads_the_same_pixels(size: tuple[int, int]) -> None:
    image = photo(*size)
    width, height, rows, about = png.Reader(bytes=encode_png(image, PngInfo())).read()
    assert (width, height, about["planes"], about["bitdepth"], about["interlace"]) == (*size, 3, 8, 0)
    assert bytes(itertools.chain.from_iterable(rows)) == image.tobytes()


def test_texts_stand_before_the_pixels_and_nothing_else_does() -> None:
    info = PngInfo()
    info.add_text("one", "a fox")
    info.add_itxt("two", "Größe 世界")
    data = encode_png(photo(9, 5), info)
    assert [name for name, _ in png.Reader(bytes=data).chunks()] == [b"IHDR", b"tEXt", b"iTXt", b"IDAT", b"IEND"]
    with Image.open(io.BytesIO(data)) as image:
        assert image.info == {"one": "a fox", "two": "Größe 世界"}  # known before any pixel is read


def test_a_photograph_is_hardly_larger_than_where_every_filter_is_tried() -> None:
    with Image.open(PHOTOGRAPHS / "cat.jpg") as opened:
        image = opened.convert("RGB")
    usual = io.BytesIO()
    image.save(usual, "PNG", optimize=True)
    assert len(encode_png(image, PngInfo())) < 1.1 * len(usual.getvalue())
    assert len(encode_png(Image.new("RGB", (512, 512), "teal"), PngInfo())) < 10_000
