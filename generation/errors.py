"""What can go wrong, as data; ``generation.sentences`` and ``bot.replies`` make the sentences."""

from typing import Any


class GenerationError(Exception):
    """The root of the errors that this package raises on purpose.

    GenerationError
    ├── InvalidRequest     a number or text outside its range
    ├── ImageRefused       a picture that cannot be taken
    ├── ModelUnavailable   a model that is unknown, not downloaded, gated or broken
    ├── CheckFailed        a picture that could not be checked for safety
    └── ExecutorError      the generation process could not be started or died
    """


class InvalidRequest(GenerationError):
    """Say which field of a request is wrong and why.

    ``reason`` is one of ``empty``, ``too_long``, ``out_of_range``, ``zero_steps``, ``unknown``, ``not_used``,
    ``not_for_model``, ``twice``, ``too_many``, ``no_number``, ``no_ladder`` and ``too_few_rungs``; ``data`` holds
    ``value``, ``low``, ``high``, ``known`` and ``model`` where there are any.
    """

    def __init__(self, field: str, reason: str, **data: Any) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason, self.data = field, reason, data


class ImageRefused(GenerationError):
    """Say why a picture is not taken.

    ``reason`` is a short code (see ``generation.images.refusals``); ``data`` holds what its sentence names.
    """

    def __init__(self, reason: str, **data: Any) -> None:
        super().__init__(reason)
        self.reason, self.data = reason, data


class ModelUnavailable(GenerationError):
    """Say why a model cannot be used: ``reason`` is a short code, ``data`` holds what its sentence names."""

    def __init__(self, model: str, reason: str, **data: Any) -> None:
        super().__init__(f"{model}: {reason}")
        self.model, self.reason, self.data = model, reason, data


class CheckFailed(GenerationError):
    """Say that there is no verdict on a picture: ``reason`` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExecutorError(GenerationError):
    """Say that the generation process could not be started or used."""
