"""Uploaded files of a message, matched with their descriptions in its body."""

from __future__ import annotations

from playground import errors, limits
from playground.files import Upload
from playground.models import Attachment, Json


def match_uploads(payload: Json, files: dict[int, Upload], *, kept: list[Attachment] | tuple[()]) -> list[Upload]:
    """Match the files of a multipart body with their entries in ``attachments``.

    Raises DiscordError for an entry that names neither a file of the body nor an attachment of the message.
    """
    known = {str(attachment.id) for attachment in kept}
    described: dict[str, Json] = {}
    for number, entry in enumerate(payload.get("attachments") or []):
        name = str(entry["id"])
        if name not in known and not (name.isdigit() and int(name) in files):
            path = f"attachments.{number}.id"
            raise errors.invalid_field(path, "ATTACHMENT_NOT_FOUND", "Attachment data not found")
        described[name] = entry
    uploads: list[Upload] = []
    for index, file in sorted(files.items()):
        entry = described.get(str(index), {})
        uploads.append(
            Upload(
                filename=entry.get("filename") or file.filename,
                data=file.data,
                description=entry.get("description"),
                spoiler=bool(entry.get("is_spoiler")),
            )
        )
    if len(uploads) + len(kept_attachments(payload, list(kept))) > limits.FILES_PER_MESSAGE:
        raise errors.DiscordError(400, 30015, "Maximum number of attachments in a message reached (10)")
    return uploads


def kept_attachments(payload: Json, attachments: list[Attachment]) -> list[Attachment]:
    """Return the attachments that an edit keeps."""
    if "attachments" not in payload:
        return list(attachments)
    named = {str(entry["id"]) for entry in payload["attachments"] or []}
    return [attachment for attachment in attachments if str(attachment.id) in named]
