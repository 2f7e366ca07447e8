"""``download``: a model of the catalog onto this machine, with a bar."""

import logging
import sys
from typing import NoReturn

from tqdm import tqdm

from generation.catalog import Catalog, ModelEntry
from generation.digests import forget_digests
from generation.errors import ModelUnavailable
from generation.hub import LOCK_NAME, Hub, ensure_model, is_here
from generation.model_problems import ModelProblem
from generation.sentences import error_sentence
from generation.settings import GenerationSettings

EXIT_FAILURE, EXIT_BAD_INPUT = 1, 2


def download_model(name: str | None, catalog: Catalog, settings: GenerationSettings, hub: Hub) -> int:
    """Download one model, or list what can be downloaded; return the exit status."""
    if name is None:
        _list(catalog, settings, hub)
        return 0
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries would break the bar's line
    bar = _Bar(name)
    try:
        entry = catalog.find(name)
        forget_digests(settings.data_dir)  # whoever asks whether a model is whole has every byte looked at
        files = ensure_model(entry, settings.data_dir, hub, bar.show)
    except ModelUnavailable as error:
        bar.close()
        print(error_sentence(error), file=sys.stderr)
        return EXIT_BAD_INPUT if error.reason == ModelProblem.UNKNOWN else EXIT_FAILURE
    except KeyboardInterrupt:
        bar.close()
        print("What has arrived is kept; the same command goes on from there.", file=sys.stderr)
        raise
    bar.close()
    if entry.folder is not None:
        print(f"{entry.title} needs no download: it lies in {files.path}.")
        return 0
    now = "has arrived" if bar.was_shown else "was here already"
    print(f"{entry.title} {now} and is whole: commit {files.revision}, as {settings.data_dir / LOCK_NAME} says.")
    if name != settings.model:
        print(f"MODEL={name} makes it the model of the bot.")
    return 0


def _list(catalog: Catalog, settings: GenerationSettings, hub: Hub) -> None:
    entries = [entry for entry in catalog.values() if entry.hub_id is not None]
    if not entries:
        print("The catalog has no model to download: all of its models lie on this machine.")
        return
    width = max(len(entry.name) for entry in entries)
    print("python -m generation download NAME, with one of these names:")
    for entry in entries:
        print(f"  {entry.name:{width}}  {_line(entry, settings, hub)}")


def _line(entry: ModelEntry, settings: GenerationSettings, hub: Hub) -> str:
    here = "is here" if is_here(entry, settings.data_dir, hub) else "not here yet"
    gated = "; gated: accept its licence first and set HF_TOKEN" if entry.gated else ""
    return f"{entry.title}, {entry.licence}; https://huggingface.co/{entry.hub_id}; {here}{gated}"


class _Bar:
    """A bar that appears with the first byte; its speed does not count what was here before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: tqdm[NoReturn] | None = None

    @property
    def was_shown(self) -> bool:
        return self._bar is not None

    def show(self, arrived_bytes: int, total_bytes: int) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=total_bytes,
                initial=arrived_bytes,
                desc=self._name,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                file=sys.stderr,
            )
        self._bar.update(arrived_bytes - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
