"""A job, as stored in its row."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from generation.requests import Repaint, StrengthSchedule


class JobState(StrEnum):
    """The state of a job; ``bot.storage.jobs`` owns the transitions."""

    ACCEPTED = "accepted"  # the row exists, the picture is being fetched
    QUEUED = "queued"  # picture and row are stored; the job has been promised
    RUNNING = "running"  # an executor is working on it
    RENDERED = "rendered"  # the pictures are on disk, the message is not sent
    DELIVERED = "delivered"  # the message is known to exist
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # nobody is left to answer, or nowhere to do so

    @property
    def is_settled(self) -> bool:
        """Whether the state is final."""
        return self in (JobState.DELIVERED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)


# Its files are lost, it has killed the bot again and again, or nobody may generate it.
_WITHOUT_A_WAY_ON = ("bot_died", "input_expired", "result_lost", "picture_listed", "words_forbidden")


class CancelReason(StrEnum):
    """A reason for a cancellation that its requester may be unaware of; stored in ``failure_data`` and shown."""

    BY_MODERATOR = "by_moderator"
    REQUEST_DELETED = "request_deleted"
    REQUEST_EDITED = "request_edited"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPicture:
    """A finished picture as recorded in the row; its bytes are in the spool until they are delivered."""

    filename: str
    media_type: str
    seed: int
    width: int
    height: int
    native_width: int
    native_height: int
    painted_again: bool = False  # in a way that needs less memory, after the first attempt ran out of it
    denoising_steps: int | None = None  # that were run; unknown in rows of earlier versions
    trimmed: float = 0.0  # the part of the input, 0 to 1, that was cropped because of its shape
    transparent: bool = False  # whether the input had transparent parts

    @classmethod
    def from_row(cls, values: Mapping[str, Any]) -> Self:
        """Build the picture from its part of a row, ignoring fields that a newer version has added.

        After a downgrade there are such rows, without a schema migration between the two versions.
        """
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One member's request, from the acknowledgement to its end. Times are seconds since 1970."""

    job_id: str
    requester_id: int
    guild_id: int | None
    channel_id: int
    prompt: str
    negative_prompt: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    seed: int
    count: int
    max_pixels: int
    model: str
    max_result_bytes: int
    sampler: str
    strength_schedule: StrengthSchedule
    spoiler: bool
    accepted_at: float
    strengths: tuple[float, ...] = ()  # of a ladder, one per picture; ``strength`` is the first of them
    adapter: str = ""  # several include their weights
    adapter_weight: float = 0.0
    repaint: Repaint = "all"
    whole_strength: float | None = None  # for all of its picture, if that turns out to have no transparent parts
    state: JobState = JobState.ACCEPTED
    attempt: int = 0
    parent_job_id: str | None = None
    input_owner_id: int | None = (
        None  # the owner of the picture it started from, if another member; 0 once they are forgotten
    )
    attachment_url: str | None = None
    mask_url: str | None = None  # of a second picture, white where the first one is repainted
    ignored_pictures: int = 0
    request_message_id: int | None = None
    interaction_id: int | None = None
    status_message_id: int | None = None
    result_message_id: int | None = None
    input_sha256: str | None = None
    pictures: tuple[StoredPicture, ...] = ()
    seconds: float | None = None
    failure_kind: str | None = None
    failure_reference: str | None = None
    failure_data: dict[str, Any] = field(default_factory=dict)
    queued_at: float | None = None
    started_at: float | None = None
    rendered_at: float | None = None
    settled_at: float | None = None
    unclean_deaths: int = 0

    @property
    def strength_of_each(self) -> tuple[float, ...]:
        """The strength of each picture."""
        return self.strengths or (self.strength,) * self.count

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was cancelled, or its result deleted: its prompt is no longer shown to anybody."""
        return self.state is JobState.CANCELLED or (self.state is JobState.DELIVERED and self.result_message_id is None)

    @property
    def can_be_tried_again(self) -> bool:
        """Whether it failed after its picture had been accepted; the picture is then kept as for a finished job."""
        return (
            self.state is JobState.FAILED and self.queued_at is not None and self.failure_kind not in _WITHOUT_A_WAY_ON
        )

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Build the job from its row."""
        values = dict(row)
        values["state"] = JobState(values["state"])
        values["spoiler"] = bool(values["spoiler"])
        values["strengths"] = tuple(json.loads(values["strengths"]))
        values["pictures"] = tuple(map(StoredPicture.from_row, json.loads(values["pictures"])))
        values["failure_data"] = json.loads(values["failure_data"])
        return cls(**values)


JOB_COLUMNS = tuple(field.name for field in fields(Job))
