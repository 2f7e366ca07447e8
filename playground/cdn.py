"""The CDN: files under signed URLs, as on Discord's CDN and its media proxy, and default avatars."""

from __future__ import annotations

import io

from aiohttp import web
from PIL import Image, ImageDraw

from playground.context import PLAYGROUND

GONE = "This content is no longer available."
_COLOURS = ((88, 101, 242), (116, 127, 141), (59, 165, 93), (250, 166, 26), (237, 66, 69), (235, 69, 158))


async def serve_file(request: web.Request) -> web.Response:
    """Answer with a file's bytes or a range of them, or 404 once its URL has expired or its message is deleted."""
    playground = request.app[PLAYGROUND]
    path = request.path.removeprefix("/proxy")
    query = request.query
    if (fault := playground.faults.take("GET", request.path)) is not None:
        if fault.action == "hang":
            await fault.released.wait()
        elif fault.action == "status":
            return web.Response(status=fault.status, text="fault")
        elif request.transport is not None:
            request.transport.abort()
            return web.Response(status=500)
    try:
        found = playground.files.fetch(path, query.get("ex", ""), query.get("is", ""), query.get("hm", ""))
    except ValueError:  # an expiry that is not hexadecimal
        found = None
    if found is None:
        return web.Response(status=404, text=GONE)
    data, content_type = found
    headers = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
    if not content_type.startswith("image/") or "svg" in content_type:
        headers["Content-Disposition"] = "attachment"
    try:
        part = range(len(data))[request.http_range]
    except ValueError:
        # The header is invalid.
        part = range(len(data))
    if len(part) == len(data):
        return web.Response(body=data, content_type=content_type, headers=headers)
    if not part:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {part[0]}-{part[-1]}/{len(data)}"
    return web.Response(status=206, body=data[part.start : part.stop], content_type=content_type, headers=headers)


async def serve_avatar(request: web.Request) -> web.Response:
    """Answer with one of the default avatars."""
    number = int(request.match_info["number"])
    picture = Image.new("RGB", (128, 128), _COLOURS[number % len(_COLOURS)])
    draw = ImageDraw.Draw(picture)
    draw.ellipse((44, 28, 84, 68), fill="white")
    draw.pieslice((24, 76, 104, 156), 180, 360, fill="white")
    data = io.BytesIO()
    picture.save(data, "PNG")
    return web.Response(body=data.getvalue(), content_type="image/png", headers={"Cache-Control": "max-age=86400"})


def add_cdn(app: web.Application) -> None:
    """Add the CDN's routes to the application."""
    for prefix in ("", "/proxy"):
        for folder in ("attachments", "ephemeral-attachments"):
            app.router.add_get(f"{prefix}/{folder}/{{owner}}/{{attachment}}/{{filename}}", serve_file)
    app.router.add_get("/embed/avatars/{number:\\d+}.png", serve_avatar)
