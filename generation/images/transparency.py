"""The transparent parts of a picture: where it is repainted while the rest stays as it is."""

from PIL import Image, ImageChops, ImageFilter

from generation.errors import InvalidRequest

# Rounded corners are not parts that anyone wants repainted.
_MIN_FRACTION = 0.01
_OPAQUE = 250  # from this alpha on; lossy formats do not keep 255
UNKNOWN_COLOUR = 0  # the alpha of what is not there at all; what a mask marks has an alpha of at least 1
# Pixels next to transparent ones that are repainted too: resizing smears the white of transparent parts that far.
_MARGIN = 2


def alpha_of(image: Image.Image) -> Image.Image | None:
    """Return the alpha (mode L) of a picture of which a visible part is transparent, else None."""
    if image.mode not in ("LA", "RGBA"):
        return None
    alpha = image.getchannel("A")
    transparent_fraction = sum(alpha.histogram()[:128]) / (alpha.width * alpha.height)
    return alpha if transparent_fraction >= _MIN_FRACTION else None


def without_traces(alpha: Image.Image) -> Image.Image:
    """Return an alpha with 0 where a lossy format, or resizing, has left next to nothing."""
    return alpha.point([value if value > 255 - _OPAQUE else UNKNOWN_COLOUR for value in range(256)])


def has_transparency(clean: bytes) -> bool:
    """Return whether a clean picture has an alpha channel, judged by its header. PNG specification, 11.2.2."""
    return clean[25:26] == b"\x06"


def require_transparency(clean: bytes) -> None:
    """Raise InvalidRequest (``nothing_transparent``) for a clean picture without transparent parts to repaint."""
    if not has_transparency(clean):
        raise InvalidRequest("repaint", "nothing_transparent")


def repaint_mask(alpha: Image.Image) -> Image.Image:
    """Return where a picture with this alpha is repainted: mode L, 0 where every bit of it is kept, else 255."""
    return _kept(alpha).point([255] * 255 + [0])


def lies_on_white(image: Image.Image) -> bool:
    """Return whether parts of a picture (RGBA) are white because nothing is there; under a mask there is something."""
    return image.getchannel("A").getextrema()[0] == UNKNOWN_COLOUR


def without_white(image: Image.Image) -> Image.Image:
    """Return a picture (RGBA) as RGB; what is not opaque is filled by the colours around it if it lies on white."""
    if not lies_on_white(image):
        return image.convert("RGB")
    return filled(image.convert("RGB"), image.getchannel("A").point([255] * _OPAQUE + [0] * (256 - _OPAQUE)))


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a picture (RGB) with its masked parts filled by the colours around them, blurred with the distance.

    Generation starts from these colours; white would show through at all but the highest strength. If everything is
    masked, it starts from grey.
    Source: pull-push interpolation, https://doi.org/10.1145/237170.237191 (The Lumigraph), section 3.4.
    """
    levels = [image.copy()]
    levels[0].putalpha(ImageChops.invert(mask))
    while max(levels[-1].size) > 1:
        width, height = levels[-1].size
        # Pillow weights colours by alpha when it shrinks a picture.
        smaller = levels[-1].resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX)
        # One pixel in four is enough to say what colour is there; its weight would soon round to nothing otherwise.
        smaller.putalpha(smaller.getchannel("A").point([min(4 * value, 255) for value in range(256)]))
        levels.append(smaller)
    result = Image.new("RGB", (1, 1), "grey")
    for level in reversed(levels):
        result = result.resize(level.size, Image.Resampling.BILINEAR)
        result.paste(level.convert("RGB"), mask=level.getchannel("A"))
    return result


def under_kept_parts(painted: Image.Image, image: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return a generated picture (RGB) under the opaque parts of ``image``, which has this alpha; all of one size."""
    return Image.composite(image, painted, _kept(alpha))


def _kept(alpha: Image.Image) -> Image.Image:
    """Return how much of each pixel is kept (mode L): an alpha whose edges, as soft as they were, are moved inwards."""
    opaque = alpha.point([0, 0, *range(2, _OPAQUE), *[255] * (256 - _OPAQUE)])  # nothing is kept of what a mask marks
    return opaque.filter(ImageFilter.MinFilter(2 * _MARGIN + 1))
