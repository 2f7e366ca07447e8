"""The options that the verbs of a run share: which tier, and where the files of its runs are."""

import argparse
from pathlib import Path

from training.tiers import TIERS, Tier


def run_parser(verb: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with ``--tier`` and ``--folder``."""
    parser = argparse.ArgumentParser(prog=f"python -m training {verb}", description=description)
    parser.add_argument("--tier", choices=TIERS, default="a", help="which model: a is the committed one")
    parser.add_argument("--folder", type=Path, default=Path("build/training"), help="default: %(default)s")
    return parser


def model_folder(text: str) -> Path:
    """Parse the folder of a model in diffusers' layout."""
    folder = Path(text)
    if not (folder / "model_index.json").is_file():
        raise argparse.ArgumentTypeError(f"{text} is no model's folder: it has no model_index.json")
    return folder


def run_of(options: argparse.Namespace) -> tuple[Tier, Path]:
    """Return the requested tier and the folder of its run."""
    return TIERS[options.tier], options.folder / options.tier
