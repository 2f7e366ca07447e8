"""The one place in the generator where errors become sentences, which say what to do."""

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
from generation.images.refusals import Refusal, image_refused_sentence
from generation.models.problems import model_unavailable_sentence
from generation.request_problems import invalid_request_sentence

CHECK_FAILED = "The picture couldn't be checked just now, so it isn't accepted. Please try again later."

_FAILURES: Mapping[FailureKind, str] = {
    FailureKind.OUT_OF_MEMORY: "There isn't enough memory for a picture of this size. Please ask for a smaller one.",
    FailureKind.BROKEN_OUTPUT: "The model painted only black. Please try another seed or a lower guidance scale.",
    FailureKind.EXECUTOR_DIED: (
        "The generation process stopped twice on this picture. Please try again, perhaps at a smaller size."
    ),
    FailureKind.EXECUTOR_CRASHED: (
        "The generation process crashed twice on this picture. Please try again, perhaps with another picture or model."
    ),
    FailureKind.EXECUTOR_KILLED: (
        "The generation process was killed twice, usually a sign of too little memory. Please try a smaller size."
    ),
    FailureKind.DEVICE_LOST: (
        "The graphics card failed twice on this picture."
        " Please try again, perhaps at a smaller size, or tell the operator."
    ),
    FailureKind.EXECUTOR_HUNG: (
        "The generation process got stuck twice on this picture."
        " Please try again, perhaps with fewer steps or a smaller size."
    ),
    FailureKind.EXECUTOR_UNAVAILABLE: "The generation process can't be started at the moment. Please try again later.",
    FailureKind.INTERNAL: "Something broke while this picture was being made. Please try again, or tell the operator.",
}


def error_sentence(error: GenerationError) -> str:
    """Return the sentence for an error that was raised on purpose."""
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
    """Return why a job failed, with the reference for finding more in the log, if there is one."""
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


def unwritable_file_sentence(path: str, error: OSError) -> str:
    """Return why a file on this machine cannot be written."""
    return f"The file {path} cannot be written ({error.strerror}). Choose another name, or make room."


def unreadable_file_sentence(path: str, error: OSError) -> str:
    """Return why a file on this machine cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"There is no file {path}. Check its name."
    return f"The file {path} cannot be read ({error.strerror}). Check what it is and who may read it."
