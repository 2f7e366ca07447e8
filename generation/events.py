"""What happens to a job during generation: started, progress, then exactly one of finished, failed, cancelled."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from generation.requests import Img2ImgResult


class FailureKind(StrEnum):
    """Why a job failed; the sentences are in ``generation.sentences``."""

    INVALID_REQUEST = "invalid_request"
    IMAGE_REFUSED = "image_refused"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    RESULT_TOO_LARGE = "result_too_large"
    BROKEN_OUTPUT = "broken_output"  # NaN or black where a picture should be
    EXECUTOR_DIED = "executor_died"  # it exited by itself
    EXECUTOR_CRASHED = "executor_crashed"  # ended by a signal that means a crash, such as SIGSEGV
    EXECUTOR_KILLED = "executor_killed"  # ended by a signal from outside, mostly for lack of memory
    EXECUTOR_HUNG = "executor_hung"
    DEVICE_LOST = "device_lost"  # a sticky device error, which only a new process clears
    EXECUTOR_UNAVAILABLE = "executor_unavailable"  # it could not be started at all
    INTERNAL = "internal"

    @property
    def is_executor_loss(self) -> bool:
        """Whether the executor was lost, which entitles the job to another attempt."""
        return self in EXECUTOR_LOSSES


EXECUTOR_LOSSES = (
    FailureKind.EXECUTOR_DIED,
    FailureKind.EXECUTOR_CRASHED,
    FailureKind.EXECUTOR_KILLED,
    FailureKind.EXECUTOR_HUNG,
    FailureKind.DEVICE_LOST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The executor has begun the job."""

    job_id: str
    attempt: int
    total_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Denoising has reached ``step`` of ``total_steps``, counted over all pictures; ``preview`` is a small JPEG."""

    job_id: str
    attempt: int
    step: int
    total_steps: int
    preview: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The job is done."""

    job_id: str
    attempt: int
    result: Img2ImgResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job ended without a picture.

    ``reference`` is the short code logged with the traceback; ``data`` holds the values for the sentence.
    """

    job_id: str
    attempt: int
    kind: FailureKind
    reference: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The job was cancelled on request."""

    job_id: str
    attempt: int


Event = Started | Progress | Finished | Failed | Cancelled


def is_final(event: Event) -> bool:
    """Tell whether this is the last event of its attempt."""
    return isinstance(event, Finished | Failed | Cancelled)
