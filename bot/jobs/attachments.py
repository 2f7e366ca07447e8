"""Attachment downloads, from allowed hosts and up to an allowed size."""

import asyncio
from collections.abc import Sequence

import aiohttp
from yarl import URL

from bot.errors import Refused
from generation.images.decoder import MAX_INPUT_BYTES

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT = aiohttp.ClientTimeout(total=15)
_CHUNK_BYTES = 64 * 1024


class AttachmentDownloads:
    """Fetches pictures over HTTP: listed hosts only, no redirects, a hard limit on bytes and on time.

    A host may be listed with its port. Plain http is accepted from this machine only. A failed download is retried
    after each of ``pauses_seconds``.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        hosts: tuple[str, ...],
        *,
        max_bytes: int = MAX_INPUT_BYTES,
        pauses_seconds: Sequence[float] = (0.5, 2.0, 5.0),
    ) -> None:
        self._session = session
        self._hosts = frozenset(hosts)
        self._max_bytes = max_bytes
        self._pauses_seconds = tuple(pauses_seconds)

    def is_allowed(self, url: str) -> bool:
        """Return whether this URL may be requested at all."""
        parsed = URL(url)
        host = parsed.host or ""
        if parsed.scheme != "https" and not (parsed.scheme == "http" and host in _LOOPBACK):
            return False
        return host in self._hosts or f"{host}:{parsed.port}" in self._hosts

    async def fetch(self, url: str) -> bytes:
        """Return the file.

        Raises Refused (``host_not_allowed``, ``attachment_gone``, ``attachment_too_large``, ``download_failed``).
        """
        if not self.is_allowed(url):
            raise Refused("host_not_allowed")
        for pause_seconds in self._pauses_seconds:
            try:
                return await self._fetch(url)
            except Refused as error:
                if error.reason != "download_failed":
                    raise
            await asyncio.sleep(pause_seconds)
        return await self._fetch(url)

    async def fetch_part(self, url: str, first: int, max_bytes: int) -> bytes:
        """Return at most ``max_bytes`` bytes of a file, starting at ``first``, not decompressed and without retries.

        Raises Refused as ``fetch`` does, also if the host does not support ranges and ``first`` is not 0.
        """
        if not self.is_allowed(url):
            raise Refused("host_not_allowed")
        headers = {"Range": f"bytes={first}-{first + max_bytes - 1}", "Accept-Encoding": "identity"}
        get = self._session.get(url, allow_redirects=False, timeout=_TIMEOUT, headers=headers, auto_decompress=False)
        try:
            async with get as response:
                if response.status != 206 and (first > 0 or response.status != 200):
                    raise Refused("download_failed")
                return await self._read_up_to(response, max_bytes)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused("download_failed") from error

    async def _read_up_to(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        received = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            received += chunk
            if len(received) >= max_bytes:  # do not wait for the rest: leaving the context closes the connection
                break
        return bytes(received[:max_bytes])

    async def _fetch(self, url: str) -> bytes:
        try:
            async with self._session.get(url, allow_redirects=False, timeout=_TIMEOUT) as response:
                if response.status in (401, 403, 404, 410):
                    raise Refused("attachment_gone")
                if response.status != 200:
                    raise Refused("download_failed")
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused("download_failed") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if (response.content_length or 0) > self._max_bytes:
            raise Refused("attachment_too_large", max_bytes=self._max_bytes)
        received = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            received += chunk
            if len(received) > self._max_bytes:
                raise Refused("attachment_too_large", max_bytes=self._max_bytes)
        return bytes(received)
