"""The messages between parent and child, as frames.

Parent to child: ``configure`` (once), then ``run``, ``cancel`` and ``ping``.
Child to parent: ``hello`` (or ``broken``) once, ``warm`` when the default model is loaded, ``pong`` with the device
memory in use, and for every run ``started``, ``phase``, ``progress``, one of ``finished``, ``failed``, ``cancelled``,
and last ``free``: the slot can take the next run. All messages about a run carry its ``job_id`` and ``attempt``.
"""

import dataclasses
from typing import Any

from generation.child.frames import Frame
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture

RunKey = tuple[str, int]
EXIT_DEVICE_LOST = 70  # EX_SOFTWARE of <sysexits.h>; by then the child can send nothing else


def key_of(frame: Frame) -> RunKey:
    """Return the job id and attempt that a frame is about."""
    return frame.fields["job_id"], frame.fields["attempt"]


def run_frame(job_id: str, attempt: int, request: Img2ImgRequest) -> Frame:
    """Wrap a request; its picture travels as bytes next to the JSON."""
    fields = _fields_of(request)
    image = fields.pop("image")
    return Frame("run", {"job_id": job_id, "attempt": attempt, "request": fields}, (image,))


def request_of(frame: Frame) -> Img2ImgRequest:
    """Unwrap a request."""
    fields = frame.fields["request"]
    return Img2ImgRequest(image=frame.blobs[0], **{**fields, "strengths": tuple(fields["strengths"])})


def event_frame(event: Event) -> Frame:
    """Wrap an event; pictures travel as bytes next to the JSON."""
    fields = _fields_of(event)
    match event:
        case Started():
            return Frame("started", fields)
        case Progress():
            preview = fields.pop("preview")
            return Frame("progress", fields, () if preview is None else (preview,))
        case Finished(result=result):
            pictures = [_fields_of(picture) for picture in result.pictures]
            blobs = tuple(picture.pop("data") for picture in pictures)
            fields["result"] = {**_fields_of(result), "pictures": pictures}
            return Frame("finished", fields, blobs)
        case Failed():
            return Frame("failed", fields)
        case Cancelled():
            return Frame("cancelled", fields)


def event_of(frame: Frame) -> Event | None:
    """Unwrap an event; return None for other frames (``phase``, ``free``, ``warm``, ``pong``)."""
    fields = dict(frame.fields)
    match frame.kind:
        case "started":
            return Started(**fields)
        case "progress":
            return Progress(**fields, preview=frame.blobs[0] if frame.blobs else None)
        case "finished":
            result = fields.pop("result")
            pictures = tuple(
                Picture(data=data, **picture) for data, picture in zip(frame.blobs, result.pop("pictures"), strict=True)
            )
            return Finished(**fields, result=Img2ImgResult(pictures=pictures, **result))
        case "failed":
            return Failed(kind=FailureKind(fields.pop("kind")), **fields)
        case "cancelled":
            return Cancelled(**fields)
    return None


def _fields_of(value: Any) -> dict[str, Any]:
    # dataclasses.asdict would copy every picture.
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
