"""Valid pictures of the maximum size, in the variants that cost their codecs the most memory."""

import random
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.pictures import COLOUR_ALPHA, encoded, png_chunk, png_header

SIDE, JPEG_SIDE, CMYK_SIDE = 5000, 8000, 6900  # 25, 64 and 48 megapixels


def hungry_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield (name, file); each is created only when needed, because they are large here too."""
    yield "webp", encoded(_noise("RGB", SIDE), "WEBP", quality=80, method=0)
    yield "webp with alpha", encoded(_noise("RGBA", SIDE), "WEBP", quality=80, method=0)
    yield "lossless webp with alpha", encoded(_noise("RGBA", SIDE), "WEBP", lossless=True, quality=0, method=0)
    yield "avif", encoded(_noise("RGB", SIDE), "AVIF", speed=10, quality=60, subsampling="4:4:4")
    yield "avif with alpha", encoded(_noise("RGBA", SIDE), "AVIF", speed=10, quality=60)
    yield "png with alpha", encoded(_noise("RGBA", SIDE), "PNG", compress_level=1)
    yield "png with alpha of 16 bits", _sixteen_bit_png()
    palette = _noise("RGB", SIDE).quantize(32)
    yield "png palette with alphas", encoded(palette, "PNG", transparency=bytes(range(200, 232)))
    yield "gif", encoded(palette, "GIF", transparency=3)
    yield "animated gif", encoded(palette, "GIF", save_all=True, append_images=[Image.new("P", palette.size)])
    jpeg = {"quality": 60, "subsampling": 0}
    yield "jpeg", encoded(_noise("RGB", JPEG_SIDE), "JPEG", **jpeg)
    yield "progressive jpeg", encoded(_noise("RGB", JPEG_SIDE), "JPEG", progressive=True, **jpeg)
    yield "progressive cmyk jpeg", encoded(_noise("CMYK", CMYK_SIDE), "JPEG", quality=40, progressive=True)


def _noise(mode: str, side: int) -> Image.Image:
    grains = side // 8
    noise = Image.frombytes("L", (grains, grains), random.Random(side).randbytes(grains**2)).resize((side, side))
    return Image.merge(mode, [noise] * len(mode))


def _sixteen_bit_png() -> bytes:
    row = b"\0" + b"".join(bytes((value, 0)) * 4 for value in range(250)) * (SIDE // 250)
    packer = zlib.compressobj(1)
    pixels = b"".join([*(packer.compress(row) for _ in range(SIDE)), packer.flush()])
    head = png_header(SIDE, SIDE, depth=16, colour_type=COLOUR_ALPHA)
    return head + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
