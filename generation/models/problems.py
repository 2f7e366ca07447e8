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


_AGAIN = "delete it from the cache of Hugging Face and start again"
_SENTENCES: Mapping[str, str] = {
    ModelProblem.UNKNOWN: "There is no model called {model} here; choose {other}.",
    ModelProblem.NOT_DOWNLOADED: (
        "The model {model} is not downloaded yet; the operator does that with `python -m generation download {model}`."
    ),
    ModelProblem.NO_FOLDER: "The model {model} is not here: there is no folder {folder}.",
    ModelProblem.NOT_A_MODEL: "What lies at {source} is not the kind of model that {model} should be.",
    ModelProblem.ADD_ON_NOT_HERE: (
        "The {thing} is not downloaded yet; the operator does that with `python -m generation download {model}`."
    ),
    ModelProblem.NO_FILE: "The file {source} of the {thing} is not here.",
    ModelProblem.NO_SUCH_FILE: "There is no file {file} in {source}, where the {thing} should be.",
    ModelProblem.SEVERAL_FILES: (
        "There are several safetensors files in {source}; name the one of the {thing} as file in the catalog."
    ),
    ModelProblem.DOES_NOT_FIT: "The file {source} of the {thing} does not fit the model.",
    ModelProblem.NOT_SAFETENSORS: (
        "The file {source} of the {thing} is incomplete or not a safetensors file, whatever its name; fetch it again."
    ),
    ModelProblem.NO_SAFETENSORS: (
        "The {thing} at {source} has no safetensors files, and files that may run code are never loaded."
    ),
    ModelProblem.GATED: (
        "The {thing} asks for its licence ({licence}) to be accepted first: the operator does that at {url} "
        "and sets HF_TOKEN to a token of the same account."
    ),
    ModelProblem.NOT_FOUND: "Hugging Face has no model {source}, or HF_TOKEN may not see it.",
    ModelProblem.NO_SUCH_REVISION: "The model {source} has no revision {revision}, or a file of it is missing there.",
    ModelProblem.TOKEN_REFUSED: "Hugging Face does not accept HF_TOKEN; make a new token and set that.",
    ModelProblem.HUB_BUSY: "Hugging Face is too busy to hand out the {thing} at the moment; try again later.",
    ModelProblem.UNREACHABLE: (
        "The {thing} is not downloaded yet, and Hugging Face cannot be reached from here; "
        "connect this machine or choose what is here."
    ),
    ModelProblem.CUT_OFF: (
        "The connection to Hugging Face broke while the {thing} was downloaded; what has arrived is kept, "
        "so try again and it goes on from there."
    ),
    ModelProblem.DISK_FULL: (
        "The disk has not enough room for the {thing}: it wants {needed} more, and {free} are free in {folder}; "
        "make room, or set HF_HOME to a folder on another disk."
    ),
    ModelProblem.FILE_TROUBLE: (
        "The {thing} needs {path}, which cannot be used ({why}); look at its owner, its mode and the room on its disk."
    ),
    ModelProblem.CHANGED: (
        "The file {file} of the {thing} is not the one that was downloaded first, so it is not used; "
        f"{_AGAIN}, or delete its lines from {{lock}} if the change is meant."
    ),
    ModelProblem.LOCK_BROKEN: (
        "The file {lock} is broken, so nobody knows whether the {thing} is the one that was downloaded first; restore "
        "the file, or delete it if what is here now may be trusted."
    ),
    ModelProblem.DAMAGED: (
        "The file {file} of the {thing} is not what Hugging Face announced, so it was thrown away; try again."
    ),
}


def model_unavailable_sentence(model: str, reason: str, data: Mapping[str, Any]) -> str:
    """Return why a model cannot be used, and who can change that."""
    thing = f"{data['add_on']} of {model}" if "add_on" in data else f"model {model}"
    shown = {**data, "model": model, "thing": thing, "other": one_of(data.get("known", ()))}
    if reason == ModelProblem.DISK_FULL:
        shown |= {"needed": gibibytes(data["needed_bytes"]), "free": gibibytes(data["free_bytes"])}
    sentence = _SENTENCES.get(reason, "The model {model} cannot be used at the moment; choose another one.")
    return sentence.format_map(shown)


def one_of(names: Sequence[str]) -> str:
    """Return the available choices as they appear in a sentence, whether one or several."""
    if not names:
        return "another one"
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
