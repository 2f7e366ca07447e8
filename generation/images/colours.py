"""Colour conversion of a decoded frame: 8 bits per channel, transparency over white, sRGB."""

from io import BytesIO

from PIL import Image, ImageCms

_STRIP_HEIGHT = 256
_MODE_OF_PROFILE = {b"RGB ": "RGB", b"CMYK": "CMYK", b"GRAY": "L"}


def eight_bits(image: Image.Image, png: bytes) -> Image.Image:
    """Return the first frame in mode L, LA, RGB, RGBA or CMYK; ``png`` is the file's bytes if it is a PNG.

    With alpha it may be ``image`` itself: it will be copied anyway, and 25 megapixels take 95 MiB.
    """
    transparency = image.info.get("transparency")
    if image.mode.startswith("I"):
        return _sixteen_bit_grey(image, transparency)
    if transparency is not None and png:
        image.info["transparency"] = _transparent_colour(transparency, depth=png[24], colour_type=png[25])
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "1":
        return image.convert("RGBA" if transparency is not None else "L")
    if image.mode in ("L", "RGB"):
        return image.convert("RGBA") if transparency is not None else image.copy()
    if image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow assumes that every CMYK JPEG is inverted, but only Adobe's are.
        return image.point([255 - value for value in range(256)] * 4)
    if image.mode in ("LA", "RGBA"):
        return image
    if image.mode == "CMYK":
        return image.copy()
    return image.convert("RGB")


def _sixteen_bit_grey(image: Image.Image, transparency: object) -> Image.Image:
    wide = image.convert("I")
    grey = wide.point([round(value / 257) for value in range(65_536)], "L")
    if isinstance(transparency, int):
        grey.putalpha(wide.point([0 if value == transparency else 255 for value in range(65_536)], "L"))
    return grey


def _transparent_colour(transparency: object, *, depth: int, colour_type: int) -> object:
    """Convert the transparent colour of a PNG (tRNS) to the eight bits that Pillow converts the samples to."""
    if colour_type == 0 and isinstance(transparency, int) and depth in (2, 4):
        return transparency * 255 // (2**depth - 1)
    if colour_type == 2 and isinstance(transparency, tuple) and depth == 16:
        return tuple(value >> 8 for value in transparency)
    return transparency


def over(image: Image.Image, background: str) -> Image.Image:
    """Composite a picture with alpha over a colour, one strip at a time: full copies would take too much memory."""
    flat = Image.new("RGB", image.size, background)
    for top in range(0, image.height, _STRIP_HEIGHT):
        strip = image.crop((0, top, image.width, min(top + _STRIP_HEIGHT, image.height))).convert("RGBA")
        flat.paste(strip.convert("RGB"), (0, top), strip.getchannel("A"))
    return flat


def to_srgb(image: Image.Image, icc_profile: bytes) -> Image.Image:
    """Convert to sRGB using the embedded profile; leave the picture as it is if profile and pixels do not match."""
    if _MODE_OF_PROFILE.get(icc_profile[16:20]) != image.mode:  # ICC.1:2022, 7.2.6: the data colour space
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # broken profiles are common in good pictures
        return image
    return image if converted is None else converted
