"""Draw the model card's pictures: words, edits at several strengths, styles, and photographs if any are given."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from training.autoencoder import grid
from training.command_line import model_folder
from training.data import Spec, Subject
from training.evaluate import Bench, drawn_inputs
from training.photographs import photograph
from training.tiers import TIERS, Tier

SCALE = 2
STRENGTHS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
WORDS = (
    *("a cat in a meadow", "a dog on a beach", "a panda in the snow", "a frog on a pink background"),
    *("a fish under water", "a penguin in the snow", "a fox in a forest", "a bear in a meadow"),
    *("a rabbit on a blue background", "a pig on a green background", "a lion in the desert", "an owl at night"),
    *("an octopus under water", "a unicorn on a pink background", "a cactus in the desert", "a castle at sunset"),
    *("a pizza on a yellow background", "a cake on a blue background", "a red tree at sunset", "a flower in a meadow"),
    *("a mushroom in a forest", "a green apple on a white background", "a pumpkin at night"),
    *("a blue house in the snow", "a red car in a city", "a rocket in space", "a boat at sunset"),
    *("a yellow balloon in the desert", "a sun on a beach", "a moon at night", "a purple star in space"),
    *("a heart on a blue background", "a robot in a forest", "a ghost at night"),
    *("a smiley on a green background", "a blue circle on an orange background"),
    *("pixel art of a cat", "pixel art of a house", "a pencil sketch of a flower", "neon heart"),
)
EDITS = (
    (Subject(word="cat"), "meadow", "a blue cat in a meadow"),
    (Subject(word="cat"), "meadow", "a dog in a meadow"),
    (Subject(word="heart"), "white", "a green heart on a white background"),
    (Subject(word="house"), "beach", "a house in the snow"),
    (Subject(word="apple"), "blue", "a pumpkin on a blue background"),
    (Subject(word="robot"), "city", "a pencil sketch of a robot"),
    (Subject(word="rocket"), "space", "neon rocket"),
    (Subject(word="panda"), "forest", "pixel art of a panda"),
)
PHOTO_PROMPTS = ("a cat", "a dog in a meadow", "a robot in space", "a house at sunset", "make it neon")


def enlarged(sheet: Image.Image) -> Image.Image:
    return sheet.resize((sheet.width * SCALE, sheet.height * SCALE), Image.Resampling.LANCZOS)


def edit_rows(bench: Bench, pictures: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
    """Return each input followed by its edits at increasing strength."""
    columns = [bench.edited(pictures, prompts, [7] * len(prompts), strength) for strength in STRENGTHS]
    return np.stack([pictures, *columns], 1).reshape(-1, *pictures.shape[1:])


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m training grids", description=__doc__)
    parser.add_argument("--tier", choices=TIERS, default="a", help="which model: a is the committed one")
    parser.add_argument("--model", type=model_folder, default=Path("models/demo"))
    parser.add_argument("--target", type=Path, default=Path("models/demo/pictures"))
    parser.add_argument("--photographs", type=Path, nargs="*", default=[])
    options = parser.parse_args(arguments)
    tier: Tier = TIERS[options.tier]
    bench = Bench(options.model, tier, 1.0)
    options.target.mkdir(parents=True, exist_ok=True)

    def save(pictures: np.ndarray, columns: int, name: str) -> None:
        enlarged(grid(pictures, columns)).save(options.target / f"{name}.webp", quality=88, method=6)

    save(bench.made(WORDS, range(len(WORDS))), 8, "words")
    inputs = drawn_inputs([Spec(subjects=(subject,), background=behind) for subject, behind, _ in EDITS], tier)
    save(edit_rows(bench, inputs, [prompt for _, _, prompt in EDITS]), len(STRENGTHS) + 1, "edits")
    for path in options.photographs:
        pictures = np.stack([photograph(path, tier)] * len(PHOTO_PROMPTS))
        save(edit_rows(bench, pictures, PHOTO_PROMPTS), len(STRENGTHS) + 1, f"photograph-{path.stem}")
