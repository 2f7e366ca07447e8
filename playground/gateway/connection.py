"""One gateway connection, from hello to close."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from playground import limits
from playground.context import PLAYGROUND, Playground
from playground.gateway.compression import STREAMS, Stream
from playground.gateway.protocol import EVERY_INTENT, PRIVILEGED, CloseCode, Intent, Op
from playground.gateway.sessions import Session
from playground.models import Json
from playground.wire import guild_create_json, member_json, own_user_json

_ACK_SECONDS = 0.05


async def serve_gateway(request: web.Request) -> web.StreamResponse:
    """Answer ``GET /gateway`` with a websocket that speaks gateway v10."""
    socket = web.WebSocketResponse(max_msg_size=limits.GATEWAY_PAYLOAD_BYTES * 4, compress=False)
    await socket.prepare(request)
    if request.query.get("v", "10") != "10" or request.query.get("encoding", "json") != "json":
        await socket.close(code=CloseCode.INVALID_API_VERSION)
        return socket
    kind = STREAMS.get(request.query.get("compress", ""))
    connection = Connection(request.app[PLAYGROUND], request, socket, kind() if kind else None)
    await connection.run()
    return socket


class Connection:
    """Reads the client's payloads and sends those of its session, from one queue."""

    def __init__(
        self, playground: Playground, request: web.Request, socket: web.WebSocketResponse, stream: Stream | None
    ) -> None:
        self._playground = playground
        self._gateway = playground.gateway
        self._request = request
        self._socket = socket
        self._stream = stream
        self._outgoing: asyncio.Queue[Json | int] = asyncio.Queue()
        self._session: Session | None = None
        self._received: deque[float] = deque()

    # The transport interface for sessions.
    def send(self, payload: Json) -> None:
        self._outgoing.put_nowait(payload)

    def close(self, code: int) -> None:
        self._outgoing.put_nowait(code)

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def run(self) -> None:
        """Serve until either side closes."""
        self._gateway.transports.add(self)
        self._gateway.journal.connections += 1
        writer = asyncio.create_task(self._write(), name="gateway writer")
        self.send(
            {"op": int(Op.HELLO), "d": {"heartbeat_interval": limits.HEARTBEAT_MILLISECONDS}, "s": None, "t": None}
        )
        try:
            await self._read()
        finally:
            self._gateway.detach(self)
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        with suppress(ConnectionError):  # the client has left; reading notices it too and ends the connection
            while True:
                payload = await self._outgoing.get()
                if isinstance(payload, int):
                    await self._socket.close(code=payload)
                    return
                text = json.dumps(payload, separators=(",", ":"))
                if self._stream is None:
                    await self._socket.send_str(text)
                else:
                    await self._socket.send_bytes(self._stream.compress(text.encode()))

    async def _read(self) -> None:
        silence_seconds = limits.HEARTBEAT_MILLISECONDS / 1000 * 1.5
        while not self._socket.closed:
            try:
                message = await self._socket.receive(timeout=silence_seconds)
            except TimeoutError:
                await self._socket.close(code=CloseCode.SESSION_TIMED_OUT)
                return
            if message.type is WSMsgType.CLOSE and message.data in (1000, 1001):
                self._gateway.end(self._session)  # a client that closes properly gives its session up
            data: object = message.data
            if not isinstance(data, str | bytes):
                return  # closing, closed or broken
            code = self._receive(data)
            if code is not None:
                await self._socket.close(code=code)
                return

    def _receive(self, data: str | bytes) -> CloseCode | None:
        """Handle one payload; return the code to close the connection with, or None."""
        loop_time = asyncio.get_running_loop().time()
        self._received.append(loop_time)
        while self._received[0] < loop_time - limits.GATEWAY_EVENTS_SECONDS:
            self._received.popleft()
        if len(self._received) > limits.GATEWAY_EVENTS:
            return CloseCode.RATE_LIMITED
        if len(data) > limits.GATEWAY_PAYLOAD_BYTES:
            return CloseCode.DECODE_ERROR
        try:
            payload = json.loads(data)
            op, body = Op(payload["op"]), payload.get("d")
        except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError):
            return CloseCode.DECODE_ERROR
        except ValueError:
            return CloseCode.UNKNOWN_OPCODE
        if op is Op.HEARTBEAT:
            # No network is as fast as loopback: if the ACK arrives before discord.py has recorded the time of its own
            # heartbeat, it computes a latency of 41 s.
            ack = {"op": int(Op.HEARTBEAT_ACK), "d": None, "s": None, "t": None}
            asyncio.get_running_loop().call_later(_ACK_SECONDS, self.send, ack)
            return None
        if op is Op.IDENTIFY:
            return self._identify(body)
        if op is Op.RESUME:
            return self._resume(body)
        if self._session is None:
            return CloseCode.NOT_AUTHENTICATED
        if op is Op.REQUEST_GUILD_MEMBERS:
            self._send_members(body)
            return None
        return None if op in (Op.PRESENCE_UPDATE, Op.VOICE_STATE_UPDATE) else CloseCode.UNKNOWN_OPCODE

    def _identify(self, body: Any) -> CloseCode | None:
        if self._session is not None:
            return CloseCode.ALREADY_AUTHENTICATED
        if not isinstance(body, dict) or not isinstance(body.get("properties"), dict):
            return CloseCode.DECODE_ERROR
        world = self._playground.world
        if str(body.get("token", "")).removeprefix("Bot ") != world.token:
            return CloseCode.AUTHENTICATION_FAILED
        intents = body.get("intents")
        if not isinstance(intents, int) or intents < 0 or intents > EVERY_INTENT:
            return CloseCode.INVALID_INTENTS
        if intents & PRIVILEGED & ~world.privileged_intents:
            return CloseCode.DISALLOWED_INTENTS
        shard = body.get("shard", [0, 1])
        if not (isinstance(shard, list) and len(shard) == 2 and 0 <= shard[0] < shard[1]):
            return CloseCode.INVALID_SHARD
        world.bot_intents = intents
        session = self._session = self._gateway.open_session(Intent(intents), self)
        here = world.bot.id in world.guild.members and (world.guild.id >> 22) % shard[1] == shard[0]
        guild_id = str(world.guild.id)
        ready: Json = {
            "v": 10,
            "user": own_user_json(world.bot),
            "guilds": [{"id": guild_id, "unavailable": True}] if here else [],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._playground.gateway_url,
            "shard": shard,
            "application": {"id": str(world.application_id), "flags": 0},
            "private_channels": [],
            "user_settings": {},
            "relationships": [],
            "presences": [],
        }
        session.dispatch("READY", ready)
        if here and Intent.GUILDS in session.intents:
            session.dispatch(
                "GUILD_CREATE", guild_create_json(world, all_members=Intent.GUILD_MEMBERS in session.intents)
            )
        return None

    def _resume(self, body: Any) -> CloseCode | None:
        if self._session is not None:
            return CloseCode.ALREADY_AUTHENTICATED
        if not isinstance(body, dict) or not isinstance(body.get("seq"), int):
            return CloseCode.DECODE_ERROR
        if str(body.get("token", "")).removeprefix("Bot ") != self._playground.world.token:
            return CloseCode.AUTHENTICATION_FAILED
        session = self._gateway.sessions.get(str(body.get("session_id")))
        missed = session.missed_since(body["seq"]) if session is not None else None
        if session is None or missed is None:
            self._gateway.journal.refused_resumes += 1
            self.send({"op": int(Op.INVALID_SESSION), "d": False, "s": None, "t": None})
            return None
        if session.transport is not None:
            session.transport.close(CloseCode.UNKNOWN_ERROR)
        self._session, session.transport = session, self
        self._gateway.journal.resumes += 1
        for payload in missed:
            self.send(payload)
        session.dispatch("RESUMED", {})
        self._gateway.on_status()
        return None

    def _send_members(self, body: Any) -> None:
        """Answer a request for members (op 8) with one chunk."""
        world, session = self._playground.world, self._session
        if session is None or not isinstance(body, dict):
            return
        wanted = body.get("user_ids")
        ids = {str(value) for value in (wanted if isinstance(wanted, list) else [wanted])} if wanted else None
        query, limit = str(body.get("query") or "").lower(), int(body.get("limit") or 0)
        members = [
            member
            for member in world.guild.members.values()
            if (str(member.user.id) in ids if ids is not None else member.user.name.lower().startswith(query))
        ]
        chunk: Json = {
            "guild_id": str(world.guild.id),
            "members": [member_json(member) for member in members[: limit or None]],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": sorted(ids - {str(m.user.id) for m in members}) if ids is not None else [],
        }
        if (nonce := body.get("nonce")) is not None:
            chunk["nonce"] = nonce
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)
