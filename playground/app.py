"""Assembly of a stand-in and of the web application that serves all of it on one port."""

from __future__ import annotations

from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from playground.cdn import add_cdn
from playground.clock import Clock, Snowflakes
from playground.context import PLAYGROUND, Playground
from playground.control.routes import add_control
from playground.faults import Faults
from playground.feed import Feed
from playground.files import FileStore
from playground.gateway.connection import serve_gateway
from playground.gateway.sessions import Gateway
from playground.interactions import Interactions
from playground.journal import Journal
from playground.judge import Judge
from playground.messages import MessageBoard
from playground.rate_limits import RateLimits
from playground.rest import applications, interactions, messages, places
from playground.rest.endpoint import add_endpoints
from playground.views import Views
from playground.wire_messages import MessageWriter
from playground.world import World

PAGE = Path(__file__).resolve().parent / "page"
PHOTOGRAPHS = Path(__file__).resolve().parent / "photographs"
PAGE_POLICY = "default-src 'self'; img-src 'self' https: data: blob:; object-src 'none'; base-uri 'none'"


def build_playground(judge: Judge, *, bot_name: str, judges_answers: bool, acknowledge_seconds: float) -> Playground:
    """Return a stand-in with its members and channels, but no connections yet."""
    clock = Clock()
    ids = Snowflakes(clock)
    world = World(clock, ids, bot_name=bot_name)
    files, feed = FileStore(clock, ids), Feed()
    journal = Journal(feed)
    gateway = Gateway(journal)
    writer = MessageWriter(world, files)
    views = Views(world, writer)
    return Playground(
        clock=clock,
        world=world,
        files=files,
        feed=feed,
        faults=Faults(feed),
        journal=journal,
        judge=judge,
        gateway=gateway,
        writer=writer,
        views=views,
        messages=MessageBoard(world, files, gateway, writer, views, feed),
        interactions=Interactions(world, gateway, writer, views, feed, acknowledge_seconds=acknowledge_seconds),
        rate_limits=RateLimits(),
        judges_answers=judges_answers,
    )


@web.middleware
async def only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject requests of other sites' pages (DNS rebinding): Host and Origin must be this stand-in's own."""
    host = request.headers.get(hdrs.HOST, "").rsplit(":", 1)[0]
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        return web.Response(status=421, text="This stand-in answers to 127.0.0.1 alone.")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return web.Response(status=403, text="This stand-in answers its own page alone.")
    return await handler(request)


async def serve_page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": PAGE_POLICY})


def build_app(playground: Playground) -> web.Application:
    """Return the application: REST, gateway, files, control and page."""
    app = web.Application(middlewares=[only_from_here], client_max_size=256 * 1024 * 1024)
    app[PLAYGROUND] = playground
    add_endpoints(app, [*applications.ENDPOINTS, *places.ENDPOINTS, *messages.ENDPOINTS, *interactions.ENDPOINTS])
    app.router.add_get("/gateway", serve_gateway)
    app.router.add_get("/gateway/", serve_gateway)
    add_cdn(app)
    add_control(app, playground)
    app.router.add_get("/", serve_page)
    app.router.add_static("/page", PAGE)
    app.router.add_static("/photographs", PHOTOGRAPHS)

    async def release_waiters(_app: web.Application) -> None:
        playground.feed.close()
        playground.faults.clear()

    async def close(_app: web.Application) -> None:
        await playground.interactions.close()

    app.on_shutdown.append(release_waiters)
    app.on_cleanup.append(close)
    return app
