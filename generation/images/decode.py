"""Turns the bytes of any accepted picture into a clean one; runs in the decode child, one picture at a time.

The order of the steps is what bounds time and memory: inspect the bytes, check limits, open, check limits again, decode
at reduced size, shrink, and only then convert colours.
"""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO

# The plugins are imported by name, so that opening an unfamiliar file does not load all forty.
from PIL import AvifImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from generation.errors import ImageRefused
from generation.images.colours import eight_bits, over, to_srgb
from generation.images.formats import ForeignFormat, Format, sniff
from generation.images.masks import marks_of, require_same_shape, with_mask
from generation.images.png import encode_png
from generation.images.refusals import Refusal
from generation.images.scan import (
    MAX_CLEAN_SIDE,
    MAX_SCANS,
    count_scans,
    has_sound_pixels,
    with_alpha_announced,
    without_text_chunks,
)
from generation.images.transparency import alpha_of, without_traces

log = logging.getLogger(__name__)

MAX_SIDE = 16_384
_MEGAPIXEL = 1_000_000
MAX_MEGAPIXELS = 25
MAX_JPEG_MEGAPIXELS = 64
MAX_CMYK_JPEG_MEGAPIXELS = 48
MAX_ICC_BYTES = 4 * 1024 * 1024
ORIENTATION_TAG = 274
# EXIF 2.32, tag 274: the transformation that undoes each orientation.
_TRANSPOSE_OF_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PLUGINS = (AvifImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A clean picture and what the file was.

    ``data`` is a PNG, upright, without metadata, at most 2,048 px per side: RGB on white, with an alpha channel (RGBA)
    if parts of the file were transparent, or if there was a mask.
    """

    data: bytes
    width: int
    height: int
    original_width: int
    original_height: int
    format: str


def decode_picture(data: bytes, mask: bytes | None = None) -> Decoded:
    """Decode any accepted picture; raise ImageRefused with a reason from ``generation.images.refusals``.

    The alpha channel of a picture with a ``mask``, which is another such file, says what the mask marks. A refusal of
    the mask alone has ``of_mask`` in its data.
    Must not be called from two threads at once: Pillow's pixel limit and Python's warning filters are global.
    """
    picture = _decoded(data, _clean_pixels)
    clean = picture.pixels
    if mask is not None:
        try:
            marks = _decoded(mask, _marks)
        except ImageRefused as error:
            raise ImageRefused(error.reason, of_mask=True, **error.data) from None
        require_same_shape(picture.size, marks.size)
        clean = with_mask(clean, marks.pixels)
    return Decoded(
        data=encode_png(clean, PngImagePlugin.PngInfo()),
        width=clean.width,
        height=clean.height,
        original_width=picture.size[0],
        original_height=picture.size[1],
        format=picture.format.value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upright:
    """Decoded pixels, upright, at most 2,048 px per side; ``size`` is the upright size of the file as sent in."""

    pixels: Image.Image
    size: tuple[int, int]
    format: Format


def _decoded(data: bytes, pixels_of: Callable[[bytes, Format], _Upright]) -> _Upright:
    """Decode a file within the limits of its format; raise ImageRefused."""
    if not data:
        raise ImageRefused(Refusal.EMPTY)
    name = sniff(data)
    if name is None:
        raise ImageRefused(Refusal.UNKNOWN_FORMAT)
    if isinstance(name, ForeignFormat):
        raise ImageRefused(Refusal.FOREIGN_FORMAT, format=name.value)
    megapixels = MAX_JPEG_MEGAPIXELS if name is Format.JPEG else MAX_MEGAPIXELS
    try:
        with refusing_surprises(name.value), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = megapixels * _MEGAPIXEL
            return pixels_of(data, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageRefused(Refusal.TOO_MANY_PIXELS, format=name.value, limit_megapixels=megapixels) from None


@contextlib.contextmanager
def refusing_surprises(format_name: str) -> Iterator[None]:
    """Turn whatever a codec raises into ImageRefused, except Pillow's own errors about too many pixels."""
    try:
        yield
    except (ImageRefused, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except MemoryError:
        raise ImageRefused(Refusal.TOO_MUCH_MEMORY) from None
    except Exception as error:  # codecs raise all kinds of exceptions for hostile bytes
        if "memory" in str(error).lower():
            raise ImageRefused(Refusal.TOO_MUCH_MEMORY) from None
        if "MAX_TEXT_CHUNK" in str(error):
            raise ImageRefused(Refusal.TOO_MUCH_METADATA, format=format_name) from None
        # The message may quote the file, so only the type is logged.
        log.info("a %s picture is refused as damaged: %s", format_name, type(error).__name__)
        raise ImageRefused(Refusal.DAMAGED, format=format_name) from None


def _clean_pixels(data: bytes, name: Format) -> _Upright:
    frame = _first_frame(data, name, background="white")
    pixels = frame.pixels
    pixels.thumbnail((MAX_CLEAN_SIDE, MAX_CLEAN_SIDE), Image.Resampling.LANCZOS)
    if 0 < len(frame.icc_profile) <= MAX_ICC_BYTES:
        pixels = to_srgb(pixels, frame.icc_profile)
    pixels = pixels.convert("RGB")
    if frame.alpha is not None:
        pixels.putalpha(without_traces(frame.alpha.resize(pixels.size, Image.Resampling.LANCZOS)))
    upright = _upright(pixels, frame, name)
    # save() writes whatever `info` holds, so only a new image is sure to carry no metadata.
    clean = Image.frombytes(upright.pixels.mode, upright.pixels.size, upright.pixels.tobytes())
    return replace(upright, pixels=clean)


def _marks(data: bytes, name: Format) -> _Upright:
    frame = _first_frame(data, name, background="black")
    frame.pixels.thumbnail((MAX_CLEAN_SIDE, MAX_CLEAN_SIDE), Image.Resampling.LANCZOS)
    return _upright(marks_of(frame.pixels), frame, name)


def _upright(pixels: Image.Image, frame: "_Frame", name: Format) -> _Upright:
    if frame.orientation in _TRANSPOSE_OF_ORIENTATION:
        pixels = pixels.transpose(_TRANSPOSE_OF_ORIENTATION[frame.orientation])
    is_sideways = frame.orientation >= 5
    size = (frame.height, frame.width) if is_sideways else (frame.width, frame.height)
    return _Upright(pixels=pixels, size=size, format=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The first frame, in mode L, RGB or CMYK, and what the file says about it; ``width`` × ``height`` as stored.

    ``alpha`` (L, of the same size) is there if something of it is transparent; ``pixels`` lie over a background.
    """

    pixels: Image.Image
    alpha: Image.Image | None
    width: int
    height: int
    orientation: int
    icc_profile: bytes


def _first_frame(data: bytes, name: Format, *, background: str) -> _Frame:
    """Decode the first frame and release the codec, which may hold twice the picture, before processing it."""
    if name is Format.JPEG and count_scans(data) > MAX_SCANS:
        raise ImageRefused(Refusal.TOO_MANY_SCANS, limit=MAX_SCANS)
    if name is Format.PNG:
        if not has_sound_pixels(data):
            raise ImageRefused(Refusal.DAMAGED, format=name.value)
        data = without_text_chunks(data)
    if name is Format.WEBP:
        data = with_alpha_announced(data)
    with Image.open(BytesIO(data), formats=(name.value.upper(),)) as image:
        width, height = image.size
        _check_size(image, name)
        if name is Format.JPEG:
            _ask_for_a_smaller_decode(image)
        image.load()
        pixels = eight_bits(image, data if name is Format.PNG else b"")
        return _Frame(
            pixels=over(pixels, background) if pixels.mode in ("LA", "RGBA") else pixels,
            alpha=alpha_of(pixels),
            width=width,
            height=height,
            orientation=_orientation(image),
            icc_profile=image.info.get("icc_profile") or b"",
        )


def _check_size(image: Image.Image, name: Format) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        raise ImageRefused(Refusal.SIDE_TOO_LONG, format=name.value, width=width, height=height, limit=MAX_SIDE)
    if image.mode == "CMYK" and width * height > MAX_CMYK_JPEG_MEGAPIXELS * _MEGAPIXEL:
        raise ImageRefused(Refusal.TOO_MANY_PIXELS, format=name.value, limit_megapixels=MAX_CMYK_JPEG_MEGAPIXELS)


def _ask_for_a_smaller_decode(image: Image.Image) -> None:
    """Let libjpeg scale by 1/2, 1/4 or 1/8 while decoding, as long as the longer side stays above 2,048 px."""
    scale = max(1, max(image.size) // MAX_CLEAN_SIDE)
    image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, but not XMP's, which ``getexif`` falls back on and no browser follows."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        value = exif.get(ORIENTATION_TAG, 1)
    except Exception:  # broken EXIF is common in good pictures and may raise anything
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
