"""The command line: ``python -m generation``, with the same decoder, service and executor as the bot.

Exit status: 0 done, 1 failure, 2 bad input (with one sentence), 130 interrupted.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from generation.cli import EXIT_BAD_INPUT, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK
from generation.cli.check_image import check_files
from generation.cli.download import download_model
from generation.cli.img2img import Img2ImgCommand
from generation.cli.models import print_models
from generation.cli.plan import print_plan
from generation.errors import ExecutorError, GenerationError
from generation.models.catalog import Catalog, load_catalog
from generation.models.hub import Hub
from generation.requests import REPAINTS, STRENGTH_SCHEDULES
from generation.samplers import SAMPLERS
from generation.sentences import error_sentence
from generation.settings import GenerationSettings, WrongSettings, read_settings
from generation.strength_ladder import LADDER
from generation.units import memory_bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings(GenerationSettings)
        catalog = load_catalog(settings.models_file)
    except (WrongSettings, ValueError) as error:
        return _refuse(str(error))
    try:
        match options.command:
            case "img2img":
                return asyncio.run(Img2ImgCommand(options, settings, catalog).run())
            case "check-image":
                return _check_images(options.files)
            case "plan":
                return _print_plan(options, catalog, settings)
            case "download":
                token = settings.hf_token.get_secret_value() if settings.hf_token else None
                return download_model(options.name, catalog, settings, Hub(token=token))
            case _:
                print_models(catalog, settings, as_json=options.json)
                return EXIT_OK
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _print_plan(options: argparse.Namespace, catalog: Catalog, settings: GenerationSettings) -> int:
    try:
        fits = print_plan(
            options.name,
            catalog,
            settings,
            vram_bytes=options.vram,
            size=options.size,
            as_json=options.json,
        )
    except ExecutorError as error:
        return _refuse(f"{error}.")
    except GenerationError as error:
        return _refuse(error_sentence(error))
    return EXIT_OK if fits else EXIT_FAILURE


def _check_images(files: Sequence[Path]) -> int:
    try:
        refused = asyncio.run(check_files(files, lambda line: print(line, flush=True)))
    except ExecutorError as error:
        print(f"The image decoder did not start: {error}.", file=sys.stderr)
        return EXIT_FAILURE
    return EXIT_BAD_INPUT if refused else EXIT_OK


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return EXIT_BAD_INPUT


def _memory(text: str) -> int:
    try:
        return memory_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not an amount of memory; write it like 6GiB") from error


def _strength(text: str) -> float | str:
    try:
        return text if text == LADDER else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a strength; write a number, or {LADDER}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generation", description="Image-to-image generation from the command line."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    img2img = commands.add_parser("img2img", help="turn a picture and a prompt into new pictures")
    img2img.add_argument("input", type=Path, metavar="INPUT", help="a PNG, JPEG, GIF, WebP or AVIF file")
    img2img.add_argument(
        *("-p", "--prompt"),
        dest="prompts",
        metavar="TEXT",
        action="append",
        required=True,
        help="what to paint; may be repeated",
    )
    img2img.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="a folder, or a name (its suffix follows the picture's type); default: INPUT's name with -img2img, here",
    )
    img2img.add_argument("--negative-prompt", default="", metavar="TEXT", help="what to keep out of the picture")
    img2img.add_argument(
        "--strength",
        type=_strength,
        metavar="0.01…1",
        help=f"how far to move away from the input; {LADDER}: several pictures with one seed, each further away",
    )
    img2img.add_argument(
        "--strength-schedule",
        choices=STRENGTH_SCHEDULES,
        help="whether strength is an amount of noise or a share of the steps; default: STRENGTH_SCHEDULE",
    )
    parts = img2img.add_mutually_exclusive_group()
    parts.add_argument(
        "--repaint",
        choices=REPAINTS,
        help="the whole picture, or only the transparent parts of a PNG, which keeps the rest as it is",
    )
    parts.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="a picture of INPUT's shape that says what to repaint: white there, black where INPUT stays as it is",
    )
    img2img.add_argument("--guidance-scale", type=float, metavar="N", help="how closely to follow the prompt")
    img2img.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="steps of the whole schedule; the strength decides how many of them are run",
    )
    img2img.add_argument("--sampler", metavar="NAME", help=f"one of {', '.join(SAMPLERS)}; default: the model's")
    img2img.add_argument("--adapter", default="", metavar="NAME", help="LoRA of the model: film, or film:0.8,ada:0.5")
    img2img.add_argument("--adapter-weight", type=float, metavar="N", help="for adapters without a weight of their own")
    img2img.add_argument("--seed", type=int, metavar="N", help="picture i of --count uses seed + i; default: random")
    img2img.add_argument(
        "--count", type=int, metavar="N", help="pictures for each prompt; default: 1, or 4 for a ladder"
    )
    img2img.add_argument("--size", type=int, metavar="N", help="paint at most N x N pixels; the shape is kept")
    img2img.add_argument("--strict", action="store_true", help="give each picture its own calls of the denoiser")
    img2img.add_argument("--native", action="store_true", help="do not enlarge what a small model paints")
    img2img.add_argument("--model", metavar="NAME", help="a name from `models`; default: MODEL")
    img2img.add_argument("--json", action="store_true", help="print one JSON object per picture")

    check = commands.add_parser("check-image", help="tell whether files would be accepted, as JSON lines")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="any file that somebody might send")

    download = commands.add_parser(
        "download", help="download a model and its add-ons; without NAME, list what there is"
    )
    download.add_argument("name", nargs="?", metavar="NAME", help="a name from `models`")

    plan = commands.add_parser("plan", help="show how a model would be held in memory, and how much it would need")
    plan.add_argument("name", metavar="MODEL", help="a name from `models` that is here")
    plan.add_argument(
        "--vram", type=_memory, metavar="6GiB", help="for an NVIDIA card with this much memory; default: this machine"
    )
    plan.add_argument("--size", type=int, metavar="N", help="for pictures of N x N pixels; default: the model's own")
    plan.add_argument("--json", action="store_true", help="print one JSON object")

    models = commands.add_parser(
        "models", help="list the models: which are here, which are gated, which fit this machine"
    )
    models.add_argument("--json", action="store_true", help="print one JSON object per model")
    return parser
