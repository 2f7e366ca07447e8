"""A mask: a second picture, white where the first one is repainted and black where it stays as it is."""

from PIL import Image, ImageChops

from generation.errors import ImageRefused
from generation.images.refusals import Refusal
from generation.images.transparency import UNKNOWN_COLOUR, repaint_mask, without_white

_HALF = 128


def marks_of(image: Image.Image) -> Image.Image:
    """Return what a mask marks (mode L, 255 where the picture is repainted) from its pixels, which lie on black.

    The brightest channel counts: strokes of any strong colour on a transparent layer are a mask, too.
    """
    red, green, blue = image.convert("RGB").split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def require_same_shape(size: tuple[int, int], mask_size: tuple[int, int]) -> None:
    """Raise ImageRefused (``mask_of_another_shape``) unless one is the other scaled, to within a pixel on each side."""
    (width, height), (mask_width, mask_height) = size, mask_size
    # Rounding moves each side of the smaller one by less than a pixel, which counts as the larger one's other side.
    if abs(width * mask_height - height * mask_width) > sum(max(size, mask_size)):
        raise ImageRefused(
            Refusal.MASK_OF_ANOTHER_SHAPE, width=width, height=height, mask_width=mask_width, mask_height=mask_height
        )


def with_mask(picture: Image.Image, marks: Image.Image) -> Image.Image:
    """Return a clean picture (RGB or RGBA) as RGBA whose transparent parts are its own and those that a mask marks.

    The colours under the mask stay, with an alpha of at least 1; the picture's own transparent parts are filled.
    Raises ImageRefused (``mask_marks_nothing``, ``mask_marks_everything``).
    """
    if not any(marks.histogram()[_HALF:]):  # the black of a JPEG is not quite black
        raise ImageRefused(Refusal.MASK_MARKS_NOTHING)
    alpha = ImageChops.invert(marks.resize(picture.size, Image.Resampling.BILINEAR))
    if picture.mode == "RGBA":
        alpha = ImageChops.darker(alpha, picture.getchannel("A"))
        picture = without_white(picture)
    if not repaint_mask(alpha).histogram()[0]:
        raise ImageRefused(Refusal.MASK_MARKS_EVERYTHING)
    result = picture.copy()
    result.putalpha(alpha.point([max(value, UNKNOWN_COLOUR + 1) for value in range(256)]))
    return result
