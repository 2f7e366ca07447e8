"""Make the README's strip: a photograph and what the embedded model paints over it, by the command line alone.

python -m docs.pictures.make
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HEIGHT = 216
Edits = tuple[str, tuple[tuple[str, float], ...]]  # a file, and prompts with their strengths
ROWS: tuple[tuple[Edits, ...], ...] = (
    (
        (
            "coffee.jpg",
            (("a dog in a meadow", 0.65), ("a lion in the desert", 0.7), ("a house at sunset", 0.65)),
        ),
    ),
    # Transparent around the cup: only that is repainted.
    (
        (
            "coffee-cut-out.png",
            (("a coffee on a beach", 1.0), ("a coffee in the forest", 1.0), ("a coffee at sunset", 1.0)),
        ),
    ),
    (
        ("drawing-cat.png", (("a blue cat in a meadow", 0.65), ("a fox in the snow", 0.7))),
        ("drawing-apple.png", (("a pumpkin at night", 0.65), ("a pizza at sunset", 0.7))),
    ),
)
SEED = 4


def painted(original: Path, prompt: str, numbers: tuple[str, ...], folder: Path) -> Image.Image:
    """Return what ``python -m generation img2img`` makes."""
    out = folder / "out.png"
    command = ["-m", "generation", "img2img", str(original), "-p", prompt, "-o", str(out), "--seed", str(SEED)]
    subprocess.run([sys.executable, *command, *numbers], cwd=REPOSITORY, check=True)
    with Image.open(out) as image:
        return image.convert("RGB")


def on_squares(image: Image.Image) -> Image.Image:
    """Return a picture on grey and white squares, by which one sees what is transparent."""
    squares = Image.new("L", (image.width // 10 + 1, image.height // 10 + 1))
    squares.putdata([255 - 40 * ((x + y) % 2) for y in range(squares.height) for x in range(squares.width)])
    ground = squares.resize((squares.width * 10, squares.height * 10), Image.Resampling.NEAREST).convert("RGBA")
    return Image.alpha_composite(ground.crop((0, 0, *image.size)), image.convert("RGBA")).convert("RGB")


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """Return the picture at the strip's height with a line of text below."""
    image = image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (image.width, HEIGHT + 26), "white")
    tile.paste(image)
    ImageDraw.Draw(tile).text((4, HEIGHT + 5), caption, fill="black", font=ImageFont.load_default(14))
    return tile


def main() -> None:
    rows: list[list[Image.Image]] = []
    with tempfile.TemporaryDirectory() as name:
        for row in ROWS:
            tiles: list[Image.Image] = []
            for filename, edits in row:
                original = REPOSITORY / "playground" / "photographs" / filename
                with Image.open(original) as image:
                    is_cut_out = image.mode == "RGBA"
                    tiles.append(captioned(on_squares(image), "sent in"))
                for prompt, strength in edits:
                    numbers = ("--repaint", "transparent") if is_cut_out else ("--strength", str(strength))
                    caption = f"{prompt} · {'repaint: transparent' if is_cut_out else f'{strength:g}'}"
                    tiles.append(captioned(painted(original, prompt, numbers, Path(name)), caption))
            rows.append(tiles)
    width = max(sum(tile.width + 6 for tile in tiles) for tiles in rows)
    strip = Image.new("RGB", (width, sum(tiles[0].height + 6 for tiles in rows)), "white")
    top = 0
    for tiles in rows:
        left = 0
        for tile in tiles:
            strip.paste(tile, (left, top))
            left += tile.width + 6
        top += tiles[0].height + 6
    strip.save(HERE / "strip.png", optimize=True)


if __name__ == "__main__":
    main()
