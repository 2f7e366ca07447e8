"""Downloads from a real HTTP server on this machine."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from bot.errors import Refused
from bot.jobs.attachments import AttachmentDownloads


async def picture(request: web.Request) -> web.StreamResponse:
    size = int(request.query["bytes"])
    if "chunked" not in request.query:
        return web.Response(body=b"x" * size)
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(size // 1000):
        await response.write(b"x" * 1000)
    return response


async def parts(request: web.Request) -> web.StreamResponse:
    """Answer with the requested range, as Discord's hosts do."""
    data = bytes(range(100))
    part = data[request.http_range]
    return web.Response(status=206, body=part)


async def endless(request: web.Request) -> web.StreamResponse:
    """Send until the client disconnects."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 1000)
    finally:
        request.app[LEFT].set()


async def gzip_bomb(_: web.Request) -> web.StreamResponse:
    data = gzip.compress(bytes(20_000_000), 9)  # 20 KB
    return web.Response(body=data, headers={"Content-Encoding": "gzip"})


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/picture?bytes=10")


async def gone(_: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


async def broken_at_first(request: web.Request) -> web.StreamResponse:
    """Fail once per entry in ``failures``, with its status or (0) by cutting the connection; then answer."""
    failures = request.app[FAILURES]
    if not failures:
        return web.Response(body=b"at last")
    status = failures.pop()
    if status == 0:
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=status or 500)


FAILURES = web.AppKey("failures", list[int])
LEFT = web.AppKey("left", asyncio.Event)


@pytest.fixture
def failures() -> list[int]:
    """The failures of the next requests for /broken, the last entry first."""
    return []


@pytest.fixture
def left() -> asyncio.Event:
    """Set when the client of the endless response has disconnected."""
    return asyncio.Event()


@pytest.fixture
async def server(failures: list[int], left: asyncio.Event) -> AsyncIterator[BaseTestServer]:
    app = web.Application()
    app.add_routes([web.get("/picture", picture), web.get("/elsewhere", elsewhere), web.get("/gone", gone)])
    app.add_routes([web.get("/bomb", gzip_bomb), web.get("/broken", broken_at_first)])
    app.add_routes([web.get("/parts", parts), web.get("/endless", endless)])
    app[FAILURES] = failures
    app[LEFT] = left
    async with TestServer(app) as server:
        yield server


@pytest.fixture
async def downloads(server: BaseTestServer) -> AsyncIterator[AttachmentDownloads]:
    async with aiohttp.ClientSession() as session:
        hosts = (f"127.0.0.1:{server.port}", "cdn.discordapp.com")
        yield AttachmentDownloads(session, hosts, max_bytes=50_000, pauses_seconds=(0, 0))


async def test_a_file_comes_whole(server: BaseTestServer, downloads: AttachmentDownloads) -> None:
    assert await downloads.fetch(str(server.make_url("/picture?bytes=50000"))) == b"x" * 50_000


@pytest.mark.parametrize("status", [0, 429, 503])
async def test_a_download_that_breaks_is_begun_again(
    server: BaseTestServer, downloads: AttachmentDownloads, failures: list[int], status: int
) -> None:
    failures += [status] * 2
    assert await downloads.fetch(str(server.make_url("/broken"))) == b"at last"
    failures += [status] * 10
    with pytest.raises(Refused) as refusal:
        await downloads.fetch(str(server.make_url("/broken")))
    assert refusal.value.reason == "download_failed"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/picture?bytes=50001", "attachment_too_large"),
        ("/picture?bytes=90000&chunked", "attachment_too_large"),
        ("/bomb", "attachment_too_large"),
        ("/gone", "attachment_gone"),
        ("/elsewhere", "download_failed"),
    ],
)
async def test_what_is_not_taken(
    server: BaseTestServer, downloads: AttachmentDownloads, path: str, reason: str
) -> None:
    with pytest.raises(Refused) as refusal:
        await downloads.fetch(str(server.make_url(path)))
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://cdn.discordapp.com/attachments/1/2/cat.png?ex=1", True),
        ("http://cdn.discordapp.com/attachments/1/2/cat.png", False),
        ("https://cdn.discordapp.com.evil.example/cat.png", False),
        ("https://evil.example/cdn.discordapp.com/cat.png", False),
        ("https://cdn.discordapp.com@evil.example/cat.png", False),
        ("http://127.0.0.1:1/cat.png", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_listed_hosts_are_asked(downloads: AttachmentDownloads, url: str, allowed: bool) -> None:
    assert downloads.is_allowed(url) is allowed


async def test_a_host_that_is_not_listed_is_never_connected_to(downloads: AttachmentDownloads) -> None:
    with pytest.raises(Refused) as refusal:
        await downloads.fetch("http://localhost:9/cat.png")
    assert refusal.value.reason == "host_not_allowed"


async def test_a_part_comes_where_parts_are_sent(server: BaseTestServer, downloads: AttachmentDownloads) -> None:
    url = str(server.make_url("/parts"))
    assert await downloads.fetch_part(url, 0, 10) == bytes(range(10))
    assert await downloads.fetch_part(url, 40, 10) == bytes(range(40, 50))
    assert await downloads.fetch_part(url, 95, 10) == bytes(range(95, 100))


async def test_of_what_comes_whole_no_more_than_the_beginning_is_read(
    server: BaseTestServer, downloads: AttachmentDownloads, left: asyncio.Event
) -> None:
    assert await downloads.fetch_part(str(server.make_url("/picture?bytes=90000")), 0, 70_000) == b"x" * 70_000
    assert await downloads.fetch_part(str(server.make_url("/picture?bytes=900")), 0, 70_000) == b"x" * 900
    assert await downloads.fetch_part(str(server.make_url("/endless")), 0, 70_000) == b"x" * 70_000
    await left.wait()
    with pytest.raises(Refused):
        await downloads.fetch_part(str(server.make_url("/picture?bytes=900")), 100, 10)


async def test_a_part_is_not_inflated(server: BaseTestServer, downloads: AttachmentDownloads) -> None:
    part = await downloads.fetch_part(str(server.make_url("/bomb")), 0, 70_000)
    assert part.startswith(b"\x1f\x8b")
    assert len(part) < 70_000


@pytest.mark.parametrize("path", ["/gone", "/elsewhere", "/broken"])
async def test_a_part_that_does_not_come_is_asked_for_once(
    server: BaseTestServer, downloads: AttachmentDownloads, failures: list[int], path: str
) -> None:
    failures += [0, 503]
    with pytest.raises(Refused):
        await downloads.fetch_part(str(server.make_url(path)), 0, 10)
    assert len(failures) == (1 if path == "/broken" else 2)


async def test_a_part_of_a_host_that_is_not_listed_is_never_asked_for(downloads: AttachmentDownloads) -> None:
    with pytest.raises(Refused) as refusal:
        await downloads.fetch_part("http://localhost:9/cat.png", 0, 10)
    assert refusal.value.reason == "host_not_allowed"
