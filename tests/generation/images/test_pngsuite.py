"""PngSuite, Willem van Schaik's test set for PNG decoders, against another decoder (``pngsuite/PngSuite.LICENSE``)."""

from pathlib import Path

import png
import pytest
from PIL import Image

from generation.errors import ImageRefused
from generation.images.decoder import ImageDecoder
from generation.images.refusals import Refusal
from tests.pictures import mean_difference, opened

FILES = sorted(Path(__file__).with_name("pngsuite").glob("*.png"))
# All of these are broken: that is what the x stands for. Some are so from their first bytes on.
BROKEN = [path for path in FILES if path.name.startswith("x")]
WHOLE = [path for path in FILES if path not in BROKEN]
NO_PNG = {"xs1n0g01.png", "xs2n0g01.png", "xs4n0g01.png", "xs7n0g01.png", "xcrn0g04.png", "xlfn0g04.png"}


def reference(path: Path) -> Image.Image:
    """Return what pypng makes of a file, RGB on white beside its alpha; it shares no code with libpng or Pillow."""
    width, height, rows, info = png.Reader(bytes=path.read_bytes()).read()
    most = 2 ** info["bitdepth"] - 1

    def over_white(samples: tuple[int, ...]) -> bytes:
        if "palette" in info and info["planes"] == 1:  # with colours, a palette is a suggestion
            red, green, blue, *alpha = info["palette"][samples[0]]
        else:
            colour, alpha = samples[: len(samples) - info["alpha"]], list(samples[len(samples) - info["alpha"] :])
            if not info["alpha"] and info.get("transparent") == colour:
                alpha = [0]
            red, green, blue, *alpha = (value * 255 / most for value in (*colour, *colour, *colour)[:3] + tuple(alpha))
        share = alpha[0] / 255 if alpha else 1.0
        return bytes([*(round(value * share + 255 * (1 - share)) for value in (red, green, blue)), round(255 * share)])

    planes = info["planes"]
    pixels = (over_white(tuple(row[i : i + planes])) for row in rows for i in range(0, len(row), planes))
    return Image.frombytes("RGBA", (width, height), b"".join(pixels))


async def test_whole_files_come_out_as_another_decoder_sees_them(decoder: ImageDecoder) -> None:
    assert len(WHOLE) == 161
    differences, with_alpha = {}, []
    for path in WHOLE:
        clean = await decoder.decode(path.read_bytes())
        picture, expected = opened(clean.data), reference(path)
        differences[path.name] = mean_difference(picture.convert("RGB"), expected.convert("RGB"))
        if picture.mode == "RGBA":
            with_alpha.append(path.name)
            alphas = [each.getchannel("A").convert("RGB") for each in (picture, expected)]
            differences[f"{path.name}, alpha"] = mean_difference(*alphas)
    assert {name: difference for name, difference in differences.items() if difference > 2} == {}
    assert len(with_alpha) > 10


async def test_broken_files_are_refused(decoder: ImageDecoder) -> None:
    assert len(BROKEN) == 14
    for path in BROKEN:
        with pytest.raises(ImageRefused) as refused:
            await decoder.decode(path.read_bytes())
        assert refused.value.reason == (Refusal.UNKNOWN_FORMAT if path.name in NO_PNG else Refusal.DAMAGED), path.name
