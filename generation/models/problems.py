"""Why a model cannot be used: short codes, and the sentence for each."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from generation.units import gibibytes


class ModelProblem(StrEnum):
    """The reasons of ModelUnavailable; a comment lists the data that a sentence uses."""

    UNKNOWN = "unknown"  # known
    NOT_DOWNLOADED = "not_downloaded"
    NO_FOLDER = "no_folder"  # folder
    NOT_A_MODEL = "not_a_model"  # source
    ADD_ON_NOT_HERE = "add_on_not_here"  # add_on
    NO_FILE = "no_file"  # add_on, source
    NO_SUCH_FILE = "no_such_file"  # add_on, source, file
    SEVERAL_FILES = "several_files"  # add_on, source
    DOES_NOT_FIT = "does_not_fit"  # add_on, source
    NOT_SAFETENSORS = "not_safetensors"  # add_on, source
    NO_SAFETENSORS = "no_safetensors"  # source
    GATED = "gated"  # url, licence
    NOT_FOUND = "not_found"  # source
    NO_SUCH_REVISION = "no_such_revision"  # source, revision
    TOKEN_REFUSED = "token_refused"
    HUB_BUSY = "hub_busy"
    UNREACHABLE = "unreachable"  # source
    CUT_OFF = "cut_off"
    DISK_FULL = "disk_full"  # needed_bytes, free_bytes, folder
    FILE_TROUBLE = "file_trouble"  # path, why
    CHANGED = "changed"  # file, lock
    LOCK_BROKEN = "lock_broken"  # lock
    DAMAGED = "damaged"  # file


_SENTENCES: Mapping[str, str] = {
    ModelProblem.UNKNOWN: "There is no model called {model} here. Please choose {other}.",
    ModelProblem.NOT_DOWNLOADED: (
        "The model {model} hasn't been downloaded yet. "
        "The operator can do that with `python -m generation download {model}`."
    ),
    ModelProblem.NO_FOLDER: "The model {model} isn't here: there is no folder {folder}.",
    ModelProblem.NOT_A_MODEL: "What is at {source} isn't the kind of model that {model} should be.",
    ModelProblem.ADD_ON_NOT_HERE: (
        "The {thing} hasn't been downloaded yet. The operator can do that with `python -m generation download {model}`."
    ),
    ModelProblem.NO_FILE: "The file {source} of the {thing} isn't here.",
    ModelProblem.NO_SUCH_FILE: "There is no file {file} in {source}, where the {thing} should be.",
    ModelProblem.SEVERAL_FILES: (
        "There are several safetensors files in {source}. Please name the one of the {thing} as file in the catalog."
    ),
    ModelProblem.DOES_NOT_FIT: "The file {source} of the {thing} doesn't fit the model.",
    ModelProblem.NOT_SAFETENSORS: (
        "The file {source} of the {thing} is incomplete or isn't a safetensors file, whatever its name. "
        "Please download it again."
    ),
    ModelProblem.NO_SAFETENSORS: (
        "The {thing} at {source} has no safetensors files, and files that could run code are never loaded."
    ),
    ModelProblem.GATED: (
        "The {thing} can't be downloaded before its licence ({licence}) has been accepted. "
        "The operator can do that at {url} and set HF_TOKEN to a token of the same account."
    ),
    ModelProblem.NOT_FOUND: "Hugging Face has no model {source}, or HF_TOKEN gives no access to it.",
    ModelProblem.NO_SUCH_REVISION: (
        "The model {source} has no revision {revision}, or one of the files is missing from it."
    ),
    ModelProblem.TOKEN_REFUSED: "Hugging Face doesn't accept HF_TOKEN. Please create a new token and set that.",
    ModelProblem.HUB_BUSY: "Hugging Face is too busy to provide the {thing} at the moment. Please try again later.",
    ModelProblem.UNREACHABLE: (
        "The {thing} hasn't been downloaded yet, and Hugging Face can't be reached from here. "
        "Please connect this machine to the internet, or choose something that is here."
    ),
    ModelProblem.CUT_OFF: (
        "The connection to Hugging Face broke while the {thing} was being downloaded. "
        "What has arrived is kept, so try again and the download will continue from there."
    ),
    ModelProblem.DISK_FULL: (
        "There isn't enough room on the disk for the {thing}: it needs {needed} more, and {free} are free in {folder}. "
        "Please make room, or set HF_HOME to a folder on another disk."
    ),
    ModelProblem.FILE_TROUBLE: (
        "The {thing} needs {path}, which can't be used ({why}). "
        "Please check its owner, its permissions and the room on its disk."
    ),
    ModelProblem.CHANGED: (
        "The file {file} of the {thing} isn't the one that was downloaded first, so it isn't used. "
        "Please delete it from the Hugging Face cache and start again, or, if the change is intended, "
        "delete its lines from {lock}."
    ),
    ModelProblem.LOCK_BROKEN: (
        "The file {lock} is broken, so there is no telling whether the {thing} is the one that was downloaded first. "
        "Please restore the file, or delete it if you trust what is here now."
    ),
    ModelProblem.DAMAGED: (
        "The file {file} of the {thing} isn't what Hugging Face announced, so it was thrown away. Please try again."
    ),
}


def model_unavailable_sentence(model: str, reason: str, data: Mapping[str, Any]) -> str:
    """Return why a model cannot be used, and who can change that."""
    thing = f"{data['add_on']} of {model}" if "add_on" in data else f"model {model}"
    shown = {**data, "model": model, "thing": thing, "other": one_of(data.get("known", ()))}
    if reason == ModelProblem.DISK_FULL:
        shown |= {"needed": gibibytes(data["needed_bytes"]), "free": gibibytes(data["free_bytes"])}
    sentence = _SENTENCES.get(reason, "The model {model} can't be used at the moment. Please choose another one.")
    return sentence.format_map(shown)


def one_of(names: Sequence[str]) -> str:
    """Return the available choices as they appear in a sentence, whether one or several."""
    if not names:
        return "another one"
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
