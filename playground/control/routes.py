"""The control API under ``/control``, and the event stream that the page follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from playground import errors
from playground.context import PLAYGROUND, Playground
from playground.control.action_handlers import ActionHandlers
from playground.control.arguments import Action, read_arguments
from playground.control.member_actions import MemberActions
from playground.control.queries import Queries
from playground.control.staging import Staging

KEEP_ALIVE_SECONDS = 15.0


def _route(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        try:
            arguments, files = await read_arguments(request)
            return web.json_response(await action(arguments, files))
        except errors.DiscordError as error:
            return web.json_response(error.body(), status=error.status)
        except KeyError as error:
            return web.json_response({"message": f"missing argument: {error}", "code": 0}, status=400)
        except (ValueError, TypeError) as error:
            return web.json_response({"message": str(error), "code": 0}, status=400)

    return serve


async def serve_stream(request: web.Request) -> web.StreamResponse:
    """Send events as server-sent events, starting after ``after`` or the browser's Last-Event-ID."""
    playground = request.app[PLAYGROUND]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    number = int(request.headers.get("Last-Event-ID") or request.query.get("after") or playground.feed.last_number)
    with suppress(ConnectionError, asyncio.CancelledError):  # the page was closed, or the stand-in is stopping
        while not playground.feed.closed:
            events = await playground.feed.after(number, KEEP_ALIVE_SECONDS)
            for event in events:
                data = json.dumps({"kind": event.kind, "data": event.data})
                await response.write(f"id: {event.number}\ndata: {data}\n\n".encode())
                number = event.number
            if not events:
                await response.write(b": still here\n\n")
    return response


def add_control(app: web.Application, playground: Playground) -> None:
    """Add the control API to the application."""
    member_actions = MemberActions(playground)
    queries = Queries(playground, member_actions)
    playground.gateway.on_status = lambda: playground.feed.publish("status", queries.status())
    for name, action in queries.actions().items():
        app.router.add_get(f"/control/{name}", _route(action))
    for name, action in (ActionHandlers(playground, member_actions).actions() | Staging(playground).actions()).items():
        app.router.add_post(f"/control/{name}", _route(action))
    app.router.add_get("/control/stream", serve_stream)
