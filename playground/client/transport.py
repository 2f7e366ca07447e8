"""Transport of requests to the control API and of its refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping

import aiohttp

from playground.models import Json


class PlaygroundError(Exception):
    """A refusal of the stand-in: an action that Discord's client would not allow, or an invalid call."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None) -> None:
        super().__init__(f"{status} ({code}): {message}{f' {errors}' if errors else ''}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors


class Transport:
    """The connections to the control API at ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections to the stand-in."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def open(self) -> aiohttp.ClientSession:
        """Return the session, created in the event loop of the first request."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10))
        return self._session

    async def get(self, name: str, **query: str | int | float) -> Json:
        """Send a query. Raises PlaygroundError."""
        async with self.open().get(f"{self._address}/control/{name}", params=query) as response:
            return await _answer(response)

    async def post(self, name: str, arguments: Json, files: Mapping[str, tuple[str, bytes]] | None = None) -> Json:
        """Perform an action, with files by field name. Raises PlaygroundError."""
        url = f"{self._address}/control/{name}"
        if not files:
            async with self.open().post(url, json=arguments) as response:
                return await _answer(response)
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("json", json.dumps(arguments), content_type="application/json")
        for field, (filename, data) in files.items():
            form.add_field(field, data, filename=filename, content_type="application/octet-stream")
        async with self.open().post(url, data=form) as response:
            return await _answer(response)


async def _answer(response: aiohttp.ClientResponse) -> Json:
    body = await response.json()
    if response.status >= 400:
        raise PlaygroundError(response.status, body.get("code", 0), body.get("message", ""), body.get("errors"))
    return body
