"""The picture that a request starts from: in the size that the model generates, and its opaque parts put back later."""

import io

from PIL import Image

from generation.images.fit import crop_loss, fit_image, fitted_size
from generation.images.transparency import (
    has_transparency,
    lies_on_white,
    repaint_mask,
    require_transparency,
    under_kept_parts,
    without_white,
)
from generation.models.catalog import ModelEntry
from generation.models.families import FAMILIES
from generation.requests import Img2ImgRequest

_FORMATS = ("PNG",)  # the decoding process turns every upload into PNG; this process opens nothing else


def fitted_image(request: Img2ImgRequest, entry: ModelEntry) -> Image.Image:
    """Return the picture (RGB) that a request starts from, resized to the size that the model generates.

    Transparent parts are white, or filled with the colours around them if only they are repainted. What a mask marks
    has its own colours.
    Raises InvalidRequest (``nothing_transparent``) if only they are repainted and there are none.
    """
    return _fitted(request, _size(request, entry))


def fitted_mask(request: Img2ImgRequest, entry: ModelEntry) -> Image.Image | None:
    """Return where the fitted picture is repainted (mode L, 255 there), or None if all of it is.

    Raises InvalidRequest for a picture without transparent parts (``nothing_transparent``) and for a model that cannot
    repaint parts of a picture (``not_for_model``).
    """
    if request.repaint == "all":
        return None
    FAMILIES[entry.family].check_repaint(request.repaint, entry.title)
    require_transparency(request.image)
    return repaint_mask(_fitted_alpha(request, _size(request, entry)))


def with_kept_parts(image: Image.Image, request: Img2ImgRequest) -> Image.Image:
    """Return a result (RGB, any size) with the opaque parts of the request's picture put back, as sharp as they were.

    It is returned as it is if all of it was to be repainted.
    """
    if request.repaint == "all":
        return image
    return under_kept_parts(image, _fitted(request, image.size), _fitted_alpha(request, image.size))


def _size(request: Img2ImgRequest, entry: ModelEntry) -> tuple[int, int]:
    with Image.open(io.BytesIO(request.image), formats=_FORMATS) as opened:  # reads only its size
        return fitted_size(opened.width, opened.height, max_pixels=request.max_pixels, multiple=entry.multiple)


def _fitted(request: Img2ImgRequest, size: tuple[int, int]) -> Image.Image:
    with Image.open(io.BytesIO(request.image), formats=_FORMATS) as opened:
        if request.repaint == "all":
            return fit_image(opened.convert("RGB"), *size)
        require_transparency(request.image)
        # Before it is resized: enlarging would draw halos around what is kept, where it meets white.
        return fit_image(without_white(opened), *size)


def _fitted_alpha(request: Img2ImgRequest, size: tuple[int, int]) -> Image.Image:
    with Image.open(io.BytesIO(request.image), formats=_FORMATS) as opened:
        # Lanczos would overshoot, and make what is opaque a little less so in places.
        return fit_image(opened.getchannel("A"), *size, Image.Resampling.BILINEAR)


def has_transparent_parts(request: Img2ImgRequest) -> bool:
    """Return whether a request's picture was sent in with transparent parts; those that a mask marks do not count."""
    if not has_transparency(request.image):
        return False
    with Image.open(io.BytesIO(request.image), formats=_FORMATS) as opened:
        return lies_on_white(opened)


def trimmed_part(request: Img2ImgRequest, width: int, height: int) -> float:
    """Return the fraction of a request's picture that is cropped away to fit ``width`` × ``height``."""
    with Image.open(io.BytesIO(request.image), formats=_FORMATS) as opened:  # reads only its size
        return round(crop_loss(opened.width / opened.height, width / height), 3)
