"""What all REST requests go through: journal, faults, token, rate limits, validation, errors in Discord's form."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import web

from playground import errors
from playground.context import PLAYGROUND, Playground
from playground.faults import Fault
from playground.journal import Call, Violation
from playground.models import Json
from playground.rate_limits import refusal_headers
from playground.rest.bodies import Body, read_body
from playground.world import World

API = "/api/v10"
INTERACTION_TEMPLATES = ("/interactions/", "/webhooks/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A handler's response; ``body`` None is a 204."""

    body: Json | list[Any] | None = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRequest:
    """An accepted request: its playground, path parameters, query and validated body."""

    playground: Playground
    params: dict[str, str]
    query: dict[str, str]
    body: Body
    call: Call

    @property
    def world(self) -> World:
        return self.playground.world

    @property
    def payload(self) -> Json:
        return self.body.payload or {}

    def id(self, name: str) -> int:
        """Return a snowflake from the path. Raises DiscordError 50035 for anything else."""
        value = self.params[name]
        if not value.isdigit():
            raise errors.invalid_field(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return int(value)

    def query_id(self, name: str) -> int | None:
        """Return a snowflake from the query, None if absent. Raises DiscordError 50035 for anything else."""
        value = self.query.get(name)
        if value is not None and not value.isdigit():
            raise errors.invalid_field(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return None if value is None else int(value)


Handler = Callable[[RestRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation of Discord's API; ``template`` is its path in Discord's OpenAPI document."""

    method: str
    template: str
    handler: Handler
    needs_token: bool = True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Respond to the request, whatever happens to it on the way."""
        playground = request.app[PLAYGROUND]
        path = request.path.removeprefix(API)
        call = playground.journal.begin(self.method, path, self.template, playground.clock.now())
        fault = playground.faults.take(self.method, path)
        if fault is not None and fault.action == "hang":
            await fault.released.wait()
        if fault is not None and fault.action == "reset":
            return self._drop_connection(request, call, playground)
        headers: dict[str, str] = {}
        try:
            if fault is not None and fault.action in ("status", "page"):
                await request.read()
                return self._apply_fault(fault, call, playground)
            if self.needs_token and request.headers.get("Authorization") != f"Bot {playground.world.token}":
                raise errors.unauthorized()
            verdict = playground.rate_limits.take(
                f"{self.method} {self.template}",
                _major(request.match_info),
                counts_globally=not self.template.startswith(INTERACTION_TEMPLATES),
            )
            headers = verdict.headers
            if verdict.retry_after_seconds is not None:
                answer = _too_many(verdict.retry_after_seconds, verdict.is_global)
            else:
                answer = await self._carry_out(request, playground, call)
        except errors.DiscordError as error:
            await request.read()  # responding before the request has been read would look like a reset to the client
            answer = Answer(status=error.status, body=error.body())
        except ConnectionError:  # the client is gone, so there is nobody to respond to
            return self._drop_connection(request, call, playground)
        except Exception as error:
            # A bug of the stand-in: tests must see it even if the bot's retries hide it.
            violation = Violation(where=f"{self.method} {self.template}", path="", message=repr(error))
            playground.journal.violations.append(violation)
            playground.journal.finish(call, 500, None)
            raise
        if fault is not None and fault.action == "drop_after":
            return self._drop_connection(request, call, playground)
        return self._respond(answer, headers, call, playground)

    async def _carry_out(self, request: web.Request, playground: Playground, call: Call) -> Answer:
        body = await read_body(request)
        call.body = body.payload
        call.files = [{"index": index, "filename": u.filename, "size": len(u.data)} for index, u in body.files.items()]
        if body.payload is not None:
            playground.judge.check_request(self.method, self.template, body.payload)
        return await self.handler(
            RestRequest(
                playground=playground,
                params=dict(request.match_info),
                query=dict(request.query),
                body=body,
                call=call,
            )
        )

    def _apply_fault(self, fault: Fault, call: Call, playground: Playground) -> web.Response:
        if fault.action == "page":
            playground.journal.finish(call, fault.status, None)
            text = f"<!DOCTYPE html><title>{fault.status} | discord.com | Cloudflare</title>"
            return web.Response(status=fault.status, text=text, content_type="text/html")
        if fault.status == 429:
            headers = refusal_headers(fault.retry_after_seconds, fault.is_global)
            answer = _too_many(fault.retry_after_seconds, fault.is_global)
            return self._respond(answer, headers, call, playground)
        words = {
            403: ("Missing Permissions", 50013),
            404: ("404: Not Found", 0),
            413: ("Request entity too large", 40005),
        }
        message, code = words.get(fault.status, (f"{fault.status}: fault", 0))
        return self._respond(Answer(status=fault.status, body={"message": message, "code": code}), {}, call, playground)

    def _drop_connection(self, request: web.Request, call: Call, playground: Playground) -> web.Response:
        playground.journal.finish(call, 0, None)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _respond(self, answer: Answer, headers: dict[str, str], call: Call, playground: Playground) -> web.Response:
        status = 204 if answer.body is None else answer.status
        code = answer.body.get("code") if isinstance(answer.body, dict) and status >= 400 else None
        playground.journal.finish(call, status, code)
        if playground.judges_answers and status < 500:
            for path, message in playground.judge.answer_violations(self.method, self.template, status, answer.body):
                where = f"{self.method} {self.template} {status}"
                playground.journal.violations.append(Violation(where=where, path=path, message=message))
        headers = headers | {"Date": formatdate(playground.clock.now(), usegmt=True)}
        if answer.body is None:
            return web.Response(status=204, headers=headers)
        # discord.py parses a body only if its type is exactly this, without a charset.
        return web.Response(
            status=status, body=json.dumps(answer.body).encode(), content_type="application/json", headers=headers
        )


def _too_many(seconds: float, is_global: bool) -> Answer:
    body = {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": round(seconds, 3),
        "global": is_global,
    }
    return Answer(status=429, body=body)


def _major(match_info: web.UrlMappingMatchInfo) -> str:
    keys = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_id")
    return ":".join(match_info[key] for key in keys if key in match_info)


async def no_such_route(request: web.Request) -> web.StreamResponse:
    """Respond to every path below the API that the stand-in does not know."""

    async def handler(_request: RestRequest) -> Answer:
        raise errors.not_found()

    endpoint = Endpoint(method=request.method, template="(unknown)", handler=handler, needs_token=False)
    return await endpoint.serve(request)


def add_endpoints(app: web.Application, endpoints: list[Endpoint]) -> None:
    """Add the endpoints below the API's prefix, and a 404 in Discord's form for everything else."""
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, API + endpoint.template, endpoint.serve)
    app.router.add_route("*", API + "/{tail:.*}", no_such_route)
