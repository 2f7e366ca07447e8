"""The transparent parts of a picture: where it is repainted while the rest stays as it is."""

from PIL import Image, ImageChops, ImageFilter

# Round corners are no parts that anybody wants to have painted.
_LEAST_PART = 0.01
# From this alpha on a pixel is kept. What lies below shows the white under it, as the soft edge of a cut-out does.
_OPAQUE = 250
# Pixels around what is transparent that are repainted too: enlarging and shrinking smear the edge as far as that.
_MARGIN = 2
_SEAM = 1.0  # pixels over which the kept parts fade into the painted ones


def alpha_of(image: Image.Image) -> Image.Image | None:
    """Return the alpha (L) of a picture if a visible part of it is more transparent than not, else None."""
    if image.mode not in ("LA", "RGBA"):
        return None
    alpha = image.getchannel("A")
    part = sum(alpha.histogram()[:128]) / (alpha.width * alpha.height)
    return alpha if part >= _LEAST_PART else None


def has_transparency(clean: bytes) -> bool:
    """Tell by its header whether a clean picture has an alpha. PNG specification, 11.2.2."""
    return clean[25:26] == b"\x06"


def repaint_mask(alpha: Image.Image) -> Image.Image:
    """Return what is repainted (L): 255 where a picture with this alpha is transparent and at the edges of that."""
    transparent = alpha.point([255 if value < _OPAQUE else 0 for value in range(256)])
    return transparent.filter(ImageFilter.MaxFilter(2 * _MARGIN + 1))


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a picture (RGB) whose masked parts have the colours of what is around them, blurred with the distance.

    What is painted over them begins with these colours: white would shine through at all but the highest strength.
    Source: the pull and the push of https://doi.org/10.1145/237170.237191 (The Lumigraph), chapter 3.4.
    """
    levels = [image.copy()]
    levels[0].putalpha(ImageChops.invert(mask))
    while max(levels[-1].size) > 1:
        width, height = levels[-1].size
        # Pillow weighs colours by alpha when it makes a picture smaller.
        levels.append(levels[-1].resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX))
    painted = levels[-1].convert("RGB")
    for level in reversed(levels[:-1]):
        painted = painted.resize(level.size, Image.Resampling.BILINEAR)
        painted.paste(level.convert("RGB"), mask=level.getchannel("A"))
    return painted


def over_kept_parts(painted: Image.Image, image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a painted picture (RGB) with everything outside the mask as it is in ``image``, of the same size."""
    seam = ImageChops.darker(mask, mask.filter(ImageFilter.GaussianBlur(_SEAM)))
    return Image.composite(painted, image, seam)
