"""What can go wrong, as data; ``generation.sentences`` and ``bot.replies`` make the sentences."""

from typing import Any


class GenerationError(Exception):
    """The base class of the errors that this package raises on purpose.

    GenerationError
    ├── InvalidRequest     a number or text outside its range
    ├── ImageRefused       a picture that cannot be accepted
    ├── ModelUnavailable   a model that is unknown, not downloaded, gated or broken
    ├── CheckFailed        a picture that could not be checked for safety
    └── ExecutorError      the generation process could not be started or died
    """


class InvalidRequest(GenerationError):
    """A field of a request is wrong.

    ``reason`` is one of ``empty``, ``too_long``, ``out_of_range``, ``zero_steps``, ``unknown``, ``not_used``,
    ``not_for_model``, ``twice``, ``too_many``, ``no_number``, ``no_ladder``, ``too_few_rungs`` and
    ``nothing_transparent``; ``data`` holds ``value``, ``low``, ``high``, ``known`` and ``model`` where they apply.
    """

    def __init__(self, field: str, reason: str, **data: Any) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason, self.data = field, reason, data


class ImageRefused(GenerationError):
    """A picture is not accepted.

    ``reason`` is a short code (see ``generation.images.refusals``); ``data`` holds the values for its sentence.
    """

    def __init__(self, reason: str, **data: Any) -> None:
        super().__init__(reason)
        self.reason, self.data = reason, data


class ModelUnavailable(GenerationError):
    """A model cannot be used: ``reason`` is a short code, ``data`` holds the values for its sentence."""

    def __init__(self, model: str, reason: str, **data: Any) -> None:
        super().__init__(f"{model}: {reason}")
        self.model, self.reason, self.data = model, reason, data


class CheckFailed(GenerationError):
    """There is no verdict on a picture: ``reason`` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExecutorError(GenerationError):
    """The generation process could not be started or used."""
