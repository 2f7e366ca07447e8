"""The body of a REST request: JSON, or multipart with ``payload_json`` and files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, hdrs, web

from playground import errors, limits
from playground.files import Upload
from playground.models import Json

_FILE_FIELD = re.compile(r"files?\[(\d+)\]")


@dataclass(slots=True, kw_only=True)
class Body:
    """The JSON part (None without a body) and the files by number."""

    payload: Any = None
    files: dict[int, Upload] = field(default_factory=dict)


async def read_body(request: web.Request) -> Body:
    """Return the body. Raises DiscordError: 50109 for invalid JSON, 40005 if too large, 50035 for invalid multipart."""
    if not request.can_read_body:
        return Body()
    if request.content_type.startswith("multipart/"):
        return await _read_multipart(request)
    data = await _read_limited(request)
    return Body(payload=_parse(data)) if data else Body()


async def _read_limited(request: web.Request) -> bytes:
    """Read at most as much as Discord accepts, and discard the rest, so that the client gets the response."""
    data = bytearray()
    total = 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
        if total <= limits.REQUEST_BYTES:
            data += chunk
    if total > limits.REQUEST_BYTES:
        raise errors.entity_too_large()
    return bytes(data)


async def _read_multipart(request: web.Request) -> Body:
    body = Body()
    total = 0
    fields: Json = {}
    wrong: list[str] = []
    try:
        reader = await request.multipart()
    except ValueError:
        raise errors.invalid_field("", "MULTIPART_INVALID", "The multipart body has no boundary.") from None
    while True:
        try:
            part = await reader.next()
        except ValueError:
            raise errors.invalid_field("", "MULTIPART_INVALID", "The multipart body could not be read.") from None
        if part is None:
            break
        if not isinstance(part, BodyPartReader):
            wrong.append("multipart")
            continue
        data = bytearray()
        while chunk := await part.read_chunk(256 * 1024):
            total += len(chunk)
            if total <= limits.REQUEST_BYTES:
                data += chunk
        name = part.name or ""
        if (match := _FILE_FIELD.fullmatch(name)) is not None:
            body.files[int(match[1])] = Upload(filename=part.filename or "file", data=bytes(data))
        elif part.filename is not None:
            wrong.append(name)
        elif name == "payload_json":
            body.payload = _parse(bytes(data))
        else:
            fields[name] = data.decode("utf-8", "replace")
    if total > limits.REQUEST_BYTES:
        raise errors.entity_too_large()
    if wrong:
        tree: Json = {}
        for name in wrong:
            words = "A file's field is called files[n], with n as in attachments[].id."
            errors.add_error(tree, [name or "files"], "MULTIPART_FIELD_UNKNOWN", words)
        raise errors.invalid_form(tree)
    if body.payload is None and not request.headers.get(hdrs.CONTENT_TYPE, "").startswith("multipart/form-data"):
        raise errors.invalid_field(
            "", "CONTENT_TYPE_INVALID", 'Expected "Content-Type" header to be multipart/form-data.'
        )
    if body.payload is None:
        body.payload = fields
    return body


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise errors.invalid_json() from None
