"""A small stand-in for the Hugging Face hub: one repository, real HTTP, and the ways in which the hub says no."""

import hashlib
import json
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

    ``refusal`` is a status and an ``X-Error-Code`` that answer every request; ``requests`` are the paths that came.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.commit = COMMIT
        self.refusal: tuple[int, str] | None = None
        self.wrong_hash = False
        self.sizes: dict[str, int] = {}
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The address to use as the hub's."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def downloads(self) -> set[str]:
        """Return the names of the files whose contents were asked for."""
        return {path.split("/", 5)[5] for path in self.requests if path.startswith(f"GET /{REPOSITORY}/resolve/")}

    def info(self) -> dict[str, Any]:
        """Return what the hub tells of the repository."""
        siblings = [
            {
                "rfilename": name,
                "size": self.sizes.get(name, len(data)),
                "lfs": {"sha256": self._hash(data), "size": len(data), "pointerSize": 130},
            }
            for name, data in self.files.items()
        ]
        return {"id": REPOSITORY, "sha": self.commit, "private": False, "siblings": siblings}

    def tree(self) -> list[dict[str, Any]]:
        """Return the listing that snapshot downloads ask for."""
        return [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
        ]

    def _hash(self, data: bytes) -> str:
        return hashlib.sha256(b"something else" if self.wrong_hash else data).hexdigest()

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
                if hub.refusal is not None:
                    status, code = hub.refusal
                    self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})
                elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
                    self._send(200, json.dumps(hub.tree()).encode())
                elif path in (f"/api/models/{REPOSITORY}", f"/api/models/{REPOSITORY}/revision/{hub.commit}"):
                    self._send(200, json.dumps(hub.info()).encode())
                elif path.startswith(f"/api/models/{REPOSITORY}/revision/"):
                    self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                elif path.startswith("/api/models/"):
                    self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
                elif (name := path.removeprefix(f"/{REPOSITORY}/resolve/{hub.commit}/")) in hub.files:
                    data = hub.files[name]
                    etag = hashlib.sha256(data).hexdigest()
                    self._send(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": hub.commit})
                else:
                    self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})

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
