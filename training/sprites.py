"""Render the noun sprites from two free emoji sets once, into one small file that is committed."""

import argparse
import json
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.words import ICONS, NOUNS_B

SPRITES = Path(__file__).parent / "sprites.npz"
PACKAGES = ("@iconify-json/fluent-emoji-flat@1.2.6", "@iconify-json/noto@1.2.9")
SPRITE_PIXELS = 128


def download(folder: Path) -> list[dict[str, Any]]:
    """Download both icon sets with `npm pack`; return their `icons.json`."""
    sets = []
    for package in PACKAGES:
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
            member = archive.extractfile("package/icons.json")
            if member is None:
                raise FileNotFoundError(f"icons.json in {package}")
            sets.append(json.load(member))
    return sets


def render(icons: dict[str, Any], name: str) -> Image.Image:
    """Rasterise one icon, cropped to its opaque part and padded to a square, as RGBA of 128 x 128 pixels."""
    import resvg_py  # needed only to render the sprites

    while name not in icons["icons"]:
        name = icons["aliases"][name]["parent"]
    icon = icons["icons"][name]
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="256" height="256">{icon["body"]}</svg>'
    )
    image = Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")
    image = image.crop(image.getchannel("A").getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((SPRITE_PIXELS, SPRITE_PIXELS), Image.Resampling.LANCZOS)


def load() -> dict[str, list[Image.Image]]:
    """Return the sprites of every noun, one per art set."""
    with np.load(SPRITES) as archive:
        return {word: [Image.fromarray(pixels) for pixels in archive[word]] for word in archive.files}


def main(arguments: list[str]) -> None:
    argparse.ArgumentParser(prog="python -m training sprites", description=__doc__).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        sets = download(Path(folder))
    rendered = {
        word: np.stack([np.asarray(render(icons, ICONS.get(word, word))) for icons in sets]) for word in NOUNS_B
    }
    np.savez_compressed(SPRITES, allow_pickle=False, **rendered)
    print(f"{len(rendered)} nouns, {SPRITES.stat().st_size / 1e6:.2f} MB")
