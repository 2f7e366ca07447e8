"""The arguments and files of a control request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import BodyPartReader, web

from playground.files import Upload
from playground.models import Json

Files = dict[str, Upload]
Action = Callable[[Json, Files], Awaitable[Json]]


async def read_arguments(request: web.Request) -> tuple[Json, Files]:
    """Return the arguments (query, JSON, or a multipart field ``json``) and the files by field name."""
    if request.method == "GET":
        return dict(request.query), {}
    if not request.content_type.startswith("multipart/"):
        return (await request.json() if request.can_read_body else {}), {}
    arguments: Json = {}
    files: Files = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        if part.filename is None:
            arguments |= json.loads(data)
        else:
            files[part.name or ""] = Upload(filename=part.filename, data=data)
    return arguments, files
