"""``download``: fetch a catalog model and its add-ons to this machine, with a progress bar."""

import logging
import sys
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from generation.cli import EXIT_BAD_INPUT, EXIT_FAILURE, EXIT_OK
from generation.errors import ModelUnavailable
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry
from generation.models.digests import forget_digests
from generation.models.files import ensure_model, is_here
from generation.models.hub import Hub
from generation.models.problems import ModelProblem
from generation.models.snapshots import LOCK_NAME, ModelFiles
from generation.sentences import error_sentence
from generation.settings import GenerationSettings


def download_model(name: str | None, catalog: Catalog, settings: GenerationSettings, hub: Hub) -> int:
    """Download one model and its add-ons, or list what can be downloaded; return the exit status."""
    if name is None:
        _list(catalog, settings, hub)
        return EXIT_OK
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # messages about retries would break the bar's line
    bar = _Bar(name)
    try:
        entry = catalog.find(name)
        forget_digests(settings.data_dir)  # an explicit download checks every byte
        files = ensure_model(entry, settings.data_dir, hub, bar.show)
        bar.close()
        _tell_model(entry, files, bar, settings)
        for file in entry.add_ons:
            bar = _Bar(file.add_on)
            path = file.ensure(settings.data_dir, hub, bar.show)
            bar.close()
            if (trouble := file.trouble(settings.data_dir, hub)) is not None:
                raise trouble
            _tell_add_on(file, path, bar)
    except ModelUnavailable as error:
        bar.close()
        print(error_sentence(error), file=sys.stderr)
        return EXIT_BAD_INPUT if error.reason == ModelProblem.UNKNOWN else EXIT_FAILURE
    except OSError as error:  # in DATA_DIR
        print(f"DATA_DIR, {settings.data_dir}, cannot be written ({error.strerror}).", file=sys.stderr)
        return EXIT_FAILURE
    except KeyboardInterrupt:
        bar.close()
        print("What has been downloaded is kept; run the same command again to continue.", file=sys.stderr)
        raise
    if entry.folder is None and name != settings.model:
        print(f"Set MODEL={name} to make it the bot's model.")
    return EXIT_OK


def _tell_model(entry: ModelEntry, files: ModelFiles, bar: "_Bar", settings: GenerationSettings) -> None:
    if entry.folder is not None:
        print(f"{entry.title} needs no download: it is in {files.path}.")
    else:
        commit = f"commit {files.revision}, as recorded in {settings.data_dir / LOCK_NAME}"
        print(f"{entry.title} {bar.happened} and is complete: {commit}.")


def _tell_add_on(file: AddOnFile, path: Path, bar: "_Bar") -> None:
    if file.hub_id is None:
        print(f"Its {file.add_on} needs no download: it is {path}.")
    else:
        print(f"Its {file.add_on} {bar.happened} and is complete: {path.name} of {file.hub_id}.")


def _list(catalog: Catalog, settings: GenerationSettings, hub: Hub) -> None:
    entries = [entry for entry in catalog.values() if entry.hub_id or any(file.hub_id for file in entry.add_ons)]
    if not entries:
        print("The catalog has no model to download: all of its models are on this machine.")
        return
    width = max(len(entry.name) for entry in entries)
    print("python -m generation download NAME, with one of these names:")
    for entry in entries:
        print(f"  {entry.name:{width}}  {_line(entry, settings, hub)}")
        for file in entry.add_ons:
            here = _here(file.is_here(settings.data_dir, hub))
            print(f"  {'':{width}}  {file.add_on}; {_address(file.hub_id)}{here}")


def _line(entry: ModelEntry, settings: GenerationSettings, hub: Hub) -> str:
    here = _here(is_here(entry, settings.data_dir, hub))
    gated = "; gated: accept its licence first and set HF_TOKEN" if entry.gated else ""
    return f"{entry.title}, {entry.licence}; {_address(entry.hub_id)}{here}{gated}"


def _address(hub_id: str | None) -> str:
    return f"https://huggingface.co/{hub_id}; " if hub_id else ""


def _here(is_here: bool) -> str:
    return "is here" if is_here else "not here yet"


class _Bar:
    """A progress bar that appears with the first byte; its speed excludes what was here before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: tqdm[NoReturn] | None = None

    @property
    def happened(self) -> str:
        return "was already here" if self._bar is None else "has been downloaded"

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
