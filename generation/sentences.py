"""The one place of the generator where errors become sentences: plain words that name what to do."""

from collections.abc import Mapping
from typing import Any

from generation.errors import (
    CheckFailed,
    ExecutorError,
    GenerationError,
    ImageRefused,
    InvalidRequest,
    ModelUnavailable,
)
from generation.events import FailureKind
from generation.images.formats import ForeignFormat
from generation.images.refusals import Refusal
from generation.models.problems import ModelProblem

_FIELDS: Mapping[str, str] = {
    "prompt": "the prompt",
    "negative_prompt": "the negative prompt",
    "strength": "the strength",
    "guidance_scale": "the guidance scale",
    "num_inference_steps": "the number of steps",
    "seed": "the seed",
    "count": "the number of pictures",
    "max_pixels": "the size",
    "sampler": "the sampler",
    "adapter": "the adapter",
    "adapter_weight": "the adapter's weight",
    "strength_schedule": "the strength schedule",
}

_AS_PICTURE = "send it as JPEG or PNG"
_AS_FRAME = "send one frame of it as JPEG or PNG"
_FOREIGN: Mapping[ForeignFormat, tuple[str, str]] = {
    ForeignFormat.HEIC: ("a HEIC photo", _AS_PICTURE),
    ForeignFormat.TIFF: ("a TIFF picture", _AS_PICTURE),
    ForeignFormat.RAW: ("a camera's raw photo", "develop it and send it as JPEG"),
    ForeignFormat.BMP: ("a BMP picture", _AS_PICTURE),
    ForeignFormat.ICO: ("an icon file", _AS_PICTURE),
    ForeignFormat.JPEG_XL: ("a JPEG XL picture", _AS_PICTURE),
    ForeignFormat.JPEG_2000: ("a JPEG 2000 picture", _AS_PICTURE),
    ForeignFormat.PSD: ("a Photoshop file", "export it as JPEG or PNG"),
    ForeignFormat.XCF: ("a GIMP file", "export it as JPEG or PNG"),
    ForeignFormat.SVG: ("an SVG drawing", "export it as PNG"),
    ForeignFormat.DDS: ("a DDS texture", "export it as PNG"),
    ForeignFormat.QOI: ("a QOI picture", _AS_PICTURE),
    ForeignFormat.EXR: ("an OpenEXR picture", _AS_PICTURE),
    ForeignFormat.PNM: ("a PNM picture", _AS_PICTURE),
    ForeignFormat.PDF: ("a PDF document", "send the page that you want as JPEG or PNG"),
    ForeignFormat.EPS: ("a PostScript document", "export it as PNG"),
    ForeignFormat.MP4: ("an MP4 video", _AS_FRAME),
    ForeignFormat.QUICKTIME: ("a QuickTime video", _AS_FRAME),
    ForeignFormat.WEBM: ("a WebM or Matroska video", _AS_FRAME),
    ForeignFormat.AVI: ("an AVI video", _AS_FRAME),
    ForeignFormat.OGG: ("an Ogg file", "send a picture as JPEG or PNG"),
    ForeignFormat.SOUND: ("a sound file", "send a picture as JPEG or PNG"),
    ForeignFormat.ARCHIVE: ("an archive", "unpack it and send one picture from it"),
    ForeignFormat.PROGRAM: ("a program", "send a picture as JPEG or PNG"),
    ForeignFormat.HTML: ("a web page", "save the picture itself and send that"),
    ForeignFormat.JSON: ("a JSON file", "send a picture as JPEG or PNG"),
    ForeignFormat.TEXT: ("a text file", "send a picture as JPEG or PNG"),
}

_REFUSALS: Mapping[Refusal, str] = {
    Refusal.EMPTY: "This file is empty; send the picture again.",
    Refusal.TOO_MANY_BYTES: "This file is larger than {limit_mebibytes} MiB; send a smaller version of the picture.",
    Refusal.FOREIGN_FORMAT: "This is {foreign}; {remedy}.",
    Refusal.UNKNOWN_FORMAT: "This file is no picture that can be read here; send a PNG, JPEG, GIF, WebP or AVIF.",
    Refusal.TOO_MANY_PIXELS: (
        "This {format} picture has more than {limit_megapixels} megapixels, the most that is taken in this format; "
        "send a smaller version of it."
    ),
    Refusal.SIDE_TOO_LONG: (
        "This {format} picture is {width} × {height} pixels, and no side may be longer than {limit}; "
        "send a smaller version or a part of it."
    ),
    Refusal.TOO_MANY_SCANS: (
        "This JPEG picture is built of more than {limit} scans, which photos never are; save it anew and send that."
    ),
    Refusal.TOO_MUCH_METADATA: (
        "This {format} picture carries too much hidden data; save it without metadata and send that."
    ),
    Refusal.DAMAGED: "This {format} picture is damaged or incomplete; save or download it again and send the new file.",
    Refusal.TOO_SLOW: (
        "This picture could not be read within {seconds:g} seconds; save it as an ordinary PNG or JPEG and send that."
    ),
    Refusal.TOO_MUCH_MEMORY: "This picture needs too much memory to be read; send a smaller version of it.",
    Refusal.CRASHED: "This picture could not be read safely; save it anew as PNG or JPEG and send that.",
    Refusal.RESULT_TOO_LARGE: "The new picture does not fit into {max_kibibytes} KiB; ask for a smaller size.",
}

_AGAIN = "delete it from the cache of Hugging Face and start again"
_MODELS: Mapping[str, str] = {
    ModelProblem.UNKNOWN: "There is no model called {model} here; choose one of {known_list}.",
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
        "The file {source} of the {thing} is none of safetensors, whatever its name says, or not whole; fetch it anew."
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

CHECK_FAILED = "The picture could not be checked just now, so it is not taken; try again later."

_FAILURES: Mapping[FailureKind, str] = {
    FailureKind.OUT_OF_MEMORY: "This machine has not enough memory for a picture of this size; ask for a smaller one.",
    FailureKind.RESULT_TOO_LARGE: _REFUSALS[Refusal.RESULT_TOO_LARGE],
    FailureKind.BROKEN_OUTPUT: "The model painted nothing but black; try another seed or a lower guidance scale.",
    FailureKind.EXECUTOR_DIED: (
        "The generation process stopped twice while it worked on this picture; try again, perhaps at a smaller size."
    ),
    FailureKind.EXECUTOR_CRASHED: (
        "The generation process crashed twice on this picture; try again, perhaps with another picture or model."
    ),
    FailureKind.EXECUTOR_KILLED: (
        "The generation process was ended twice from outside, mostly a sign of too little memory; try a smaller size."
    ),
    FailureKind.DEVICE_LOST: (
        "The graphics device failed twice on this picture; try again, perhaps at a smaller size, or tell the operator."
    ),
    FailureKind.EXECUTOR_HUNG: (
        "The generation process got stuck twice on this picture; try again, perhaps with fewer steps or a smaller size."
    ),
    FailureKind.EXECUTOR_UNAVAILABLE: "The generation process cannot be started at the moment; try again later.",
    FailureKind.INTERNAL: "Something broke while this picture was made; try again, or tell the operator.",
}


def error_sentence(error: GenerationError) -> str:
    """Return the sentence of an error that was raised on purpose."""
    match error:
        case InvalidRequest():
            return invalid_request_sentence(error.field, error.reason, error.data)
        case ImageRefused():
            return image_refused_sentence(error.reason, error.data)
        case ModelUnavailable():
            return model_unavailable_sentence(error.model, error.reason, error.data)
        case CheckFailed():
            return CHECK_FAILED
        case ExecutorError():
            return _FAILURES[FailureKind.EXECUTOR_UNAVAILABLE]
    return _FAILURES[FailureKind.INTERNAL]


def failure_sentence(kind: FailureKind, data: Mapping[str, Any], reference: str = "") -> str:
    """Return why a job failed, with the reference under which the log has more, if there is one."""
    if kind is FailureKind.INVALID_REQUEST:
        sentence = invalid_request_sentence(data["field"], data["reason"], data)
    elif kind is FailureKind.IMAGE_REFUSED:
        sentence = image_refused_sentence(data["reason"], data)
    elif kind is FailureKind.MODEL_UNAVAILABLE:
        sentence = model_unavailable_sentence(data["model"], data["reason"], data)
    elif kind is FailureKind.RESULT_TOO_LARGE:
        sentence = image_refused_sentence(Refusal.RESULT_TOO_LARGE, data)
    else:
        sentence = _FAILURES[kind]
    return f"{sentence} (Reference: {reference})" if reference else sentence


def invalid_request_sentence(field: str, reason: str, data: Mapping[str, Any]) -> str:
    """Return what is wrong with a field of a request; see InvalidRequest for the reasons."""
    name = _FIELDS.get(field, field.replace("_", " "))
    name = name[0].upper() + name[1:]
    match reason:
        case "empty":
            return f"{name} is empty; write what the new picture should show."
        case "too_long":
            return f"{name} has {data['value']:,} characters; shorten it to {data['high']:,}."
        case "not_used":
            return f"The model {data['model']} has no use for {name[0].lower()}{name[1:]}; leave it out."
        case "unknown":
            return f"{name} must be one of {', '.join(data['known'])}."
        case "not_for_model":
            return f"{name} cannot be chosen for {data['model']}; leave it out."
        case "twice":
            return "No adapter can be named twice."
        case "too_many":
            return f"No more than {data['high']} adapters can be combined."
        case "no_number":
            return f"{name} must be a number, such as 0.8."
        case "zero_steps":
            return "So few steps at so low a strength would change nothing; raise the steps or the strength."
    if field == "max_pixels":  # people ask for the side of a square, not for its area
        low, high = (round(data[key] ** 0.5) for key in ("low", "high"))
    else:
        low, high = data["low"], data["high"]
    return f"{name} must be from {plain_number(low)} to {plain_number(high)}."


def image_refused_sentence(reason: str, data: Mapping[str, Any]) -> str:
    """Return why a picture is not taken and what to send instead."""
    refusal = Refusal(reason)
    shown = dict(data)
    if refusal is Refusal.FOREIGN_FORMAT:
        shown["foreign"], shown["remedy"] = _FOREIGN[ForeignFormat(data["format"])]
    elif refusal is Refusal.TOO_MANY_BYTES:
        shown["limit_mebibytes"] = f"{data['limit_bytes'] / 1024**2:.3g}"
    elif refusal is Refusal.RESULT_TOO_LARGE:
        shown["max_kibibytes"] = f"{data['max_bytes'] // 1024:,}"
    return _REFUSALS[refusal].format_map(shown)


def model_unavailable_sentence(model: str, reason: str, data: Mapping[str, Any]) -> str:
    """Return why a model cannot be used and who can change that."""
    thing = f"{data['add_on']} of {model}" if "add_on" in data else f"model {model}"
    shown = {**data, "model": model, "thing": thing, "known_list": ", ".join(data.get("known", ()))}
    if reason == ModelProblem.DISK_FULL:
        shown |= {"needed": gibibytes(data["needed_bytes"]), "free": gibibytes(data["free_bytes"])}
    sentence = _MODELS.get(reason, "The model {model} cannot be used at the moment; choose another one.")
    return sentence.format_map(shown)


def plain_number(value: float) -> str:
    """Return a number without a fraction that it does not have."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def gibibytes(count: int) -> str:
    """Return a number of bytes as people compare disks and memories; small ones in MiB."""
    if count < 2**30 / 10:
        return f"{count / 2**20:.0f} MiB"
    return f"{count / 2**30:.1f} GiB"


def unwritable_file_sentence(path: str, error: OSError) -> str:
    """Return why a file on this machine cannot be written."""
    return f"The file {path} cannot be written ({error.strerror}); choose another name, or make room."


def unreadable_file_sentence(path: str, error: OSError) -> str:
    """Return why a file on this machine cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"There is no file {path}; check its name."
    return f"The file {path} cannot be read ({error.strerror}); check what it is and its permissions."
