"""Retries of requests whose connection broke, so that a broken connection has no consequences.

discord.py 2.7.1 retries after a connection reset on macOS and Windows only: it looks for their error numbers (54 and
10054) but not for Linux's 104, nor for a connection that closes without a response. Retrying is safe: messages carry a
nonce, edits and deletions are idempotent, and an acknowledgement that did arrive is recognised.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import discord
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter

log = logging.getLogger(__name__)

T = TypeVar("T")
# Short, because an acknowledgement must arrive within 3 s; callers that can wait longer retry anyway.
PAUSES_SECONDS = (0.05, 0.25, 0.75, 1.5)
_ALREADY_ACKNOWLEDGED = 40060
_CALLBACK_PATH = "/interactions/{webhook_id}/{webhook_token}/callback"
_MESSAGE_TYPES = (
    discord.InteractionResponseType.channel_message.value,
    discord.InteractionResponseType.deferred_channel_message.value,
)


def make_retrying(http: HTTPClient) -> None:
    """Make a client retry requests when their connection breaks."""
    request = http.request

    async def retrying(route: Route, *, files: Sequence[discord.File] | None = None, **arguments: Any) -> Any:
        return await _with_retries(lambda: request(route, files=files, **arguments), files or ())

    http.request = retrying


class RetryingWebhooks(AsyncWebhookAdapter):
    """The same for answers to interactions, which take a separate path through the library.

    ``application_id`` is needed to fetch a response that reached Discord although the connection broke before its
    answer.
    """

    def __init__(self, application_id: int) -> None:
        super().__init__()
        self._application_id = application_id

    async def request(self, route: Route, session: aiohttp.ClientSession, **arguments: Any) -> Any:
        is_callback = route.path == _CALLBACK_PATH
        counted = _CountedSession(session, is_urgent=is_callback)
        send = super().request
        try:
            return await _with_retries(
                lambda: send(route, counted, **arguments),  # type: ignore[arg-type]  # it has all that is used there
                arguments.get("files") or (),
            )
        except discord.HTTPException as error:
            was_heard = error.code == _ALREADY_ACKNOWLEDGED and is_callback and counted.requests > 1
            if not was_heard:
                raise
        return await self._heard(route, session, (arguments.get("payload") or {}).get("type"))

    async def _heard(self, route: Route, session: aiohttp.ClientSession, kind: int | None) -> Any:
        """Return what Discord would have answered to an acknowledgement that did reach it."""
        answer: dict[str, Any] = {"interaction": {"id": str(route.webhook_id), "type": 0}}
        if kind is None or kind in _MESSAGE_TYPES:
            assert route.webhook_token is not None
            message = await self.get_original_interaction_response(
                self._application_id, route.webhook_token, session=session
            )
            answer["interaction"]["response_message_id"] = message["id"]
            answer["resource"] = {"type": _MESSAGE_TYPES[0], "message": message}
        return answer


class _CountedSession:
    """Counts the requests that one call of the library makes.

    For an urgent one a 5xx response is treated as a broken connection: the library would wait 1 s, then another 3 s.
    """

    def __init__(self, session: aiohttp.ClientSession, *, is_urgent: bool) -> None:
        self._session = session
        self._is_urgent = is_urgent
        self.requests = 0

    @asynccontextmanager
    async def request(self, *arguments: Any, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        self.requests += 1
        async with self._session.request(*arguments, **options) as response:
            if self._is_urgent and response.status >= 500:
                raise aiohttp.ClientConnectionError(f"Discord answered {response.status}")
            yield response


async def _with_retries(send: Callable[[], Awaitable[T]], files: Sequence[discord.File]) -> T:
    for pause_seconds in PAUSES_SECONDS:
        try:
            return await _once(send)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            log.info("a request failed (%s) and is sent again", type(error).__name__)
            await asyncio.sleep(pause_seconds)
            for file in files:
                file.reset()
    return await _once(send)


async def _once(send: Callable[[], Awaitable[T]]) -> T:
    try:
        return await send()
    except RuntimeError as error:
        if str(error) != "Session is closed":
            raise
        # This is how aiohttp reports that the bot has closed; to the caller Discord is simply out of reach.
        raise aiohttp.ClientError("the bot has closed its connections") from error
