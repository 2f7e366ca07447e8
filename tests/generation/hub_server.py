"""A small stand-in for the Hugging Face hub: one repository, real HTTP, and the ways in which the hub refuses."""

import hashlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER_COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
REPOSITORY = "somebody/some-model"


class HubServer:
    """Serve ``files`` as the repository ``somebody/some-model`` at ``commit``.

    ``refusal`` is a status and an ``X-Error-Code`` with which every request is answered, ``file_refusal`` the same only
    for file contents; with ``accepted_token`` any other token is refused as the hub does. ``requests`` are the
    requested paths, ``ranges`` the ``Range`` headers by file.

    The first request for a file in ``cut_after`` breaks off after that many bytes, cleanly or, with ``resets``, like a
    router that drops the connection; ``cut_then_refuse`` answers from then on. Every request for a file in
    ``hold_after`` waits there, with ``is_held`` set, until the client disconnects. With ``redirects``, contents come
    from another host, as on the hub for large files, and ``tokens_elsewhere`` are the ``Authorization`` headers
    received there. ``small`` are the files stored in git itself, for which the hub has no sha256.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.commit = COMMIT
        self.refusal: tuple[int, str] | None = None
        self.file_refusal: tuple[int, str] | None = None
        self.accepted_token: str | None = None
        self.cut_after: dict[str, int] = {}
        self.resets = False
        self.cut_then_refuse: tuple[int, str] | None = None
        self.hold_after: dict[str, int] = {}
        self.is_held = threading.Event()
        self.redirects = False
        self.tokens_elsewhere: list[str | None] = []
        self.wrong_hash = False
        self.small: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.requests: list[str] = []
        self.ranges: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The address to use as the hub's endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def downloads(self) -> set[str]:
        """Return the names of the files whose contents were requested."""
        return {path.split("/", 5)[5] for path in self.requests if path.startswith(f"GET /{REPOSITORY}/resolve/")}

    def info(self) -> dict[str, Any]:
        """Return the hub's description of the repository."""
        siblings = [
            {
                "rfilename": name,
                "size": self.sizes.get(name, len(data)),
                "blobId": self._blob_id(data),
                **({} if name in self.small else {"lfs": self._pointer(data)}),
            }
            for name, data in self.files.items()
        ]
        return {"id": REPOSITORY, "sha": self.commit, "private": False, "siblings": siblings}

    def tree(self) -> list[dict[str, Any]]:
        """Return the listing that snapshot downloads request."""
        return [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
        ]

    def _pointer(self, data: bytes) -> dict[str, object]:
        announced = b"something else" if self.wrong_hash else data
        return {"sha256": hashlib.sha256(announced).hexdigest(), "size": len(data), "pointerSize": 130}

    def _blob_id(self, data: bytes) -> str:
        announced = b"something else" if self.wrong_hash else data
        return hashlib.sha1(f"blob {len(announced)}\0".encode() + announced).hexdigest()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                path = urlsplit(self.path).path
                hub.requests.append(f"{self.command} {path}")
                refusal = hub.refusal or (hub.file_refusal if "/resolve/" in path else None)
                if refusal is not None:
                    status, code = refusal
                    self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})
                elif hub.accepted_token and self.headers["Authorization"] != f"Bearer {hub.accepted_token}":
                    self._send(401, b"{}", {"X-Error-Message": "Invalid credentials in Authorization header"})
                elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
                    self._send(200, json.dumps(hub.tree()).encode())
                elif path in (f"/api/models/{REPOSITORY}", f"/api/models/{REPOSITORY}/revision/{hub.commit}"):
                    self._send(200, json.dumps(hub.info()).encode())
                elif path.startswith(f"/api/models/{REPOSITORY}/revision/"):
                    self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                elif path.startswith("/api/models/"):
                    self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
                elif (name := path.removeprefix(f"/{REPOSITORY}/resolve/{hub.commit}/")) in hub.files:
                    if hub.redirects and not self.headers["Host"].startswith("localhost"):
                        self._send(302, b"", {"Location": hub.url.replace("127.0.0.1", "localhost") + self.path})
                        return
                    if hub.redirects:
                        hub.tokens_elsewhere.append(self.headers["Authorization"])
                    self._send_file(name, hub.files[name])
                else:
                    self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})

            def _send_file(self, name: str, data: bytes) -> None:
                start = 0
                if wanted := self.headers["Range"]:
                    hub.ranges.append((name, wanted))
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(data) - start))
                if wanted:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                end = hub.cut_after.pop(name, hub.hold_after.get(name, len(data)))
                if end < len(data) and hub.cut_then_refuse:
                    hub.file_refusal = hub.cut_then_refuse
                self.wfile.write(data[start:end])
                if name in hub.hold_after:
                    hub.is_held.set()
                    self.rfile.read(1)  # returns when the client has disconnected
                self.close_connection = end < len(data)
                if self.close_connection and hub.resets:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                pass

        return Handler
