"""The bot's gateway sessions: each numbers its events and replays those that a lost connection missed."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from playground.gateway.protocol import Intent, Op
from playground.journal import Journal
from playground.limits import REPLAYED_EVENTS
from playground.models import Json

NO_INTENT = Intent(0)


class Transport(Protocol):
    """Sends payloads to one connected client, in order and without blocking."""

    def send(self, payload: Json) -> None: ...

    def close(self, code: int) -> None: ...

    def abort(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Session:
    id: str
    intents: Intent
    sequence: int = 0
    replay: deque[Json] = field(default_factory=lambda: deque(maxlen=REPLAYED_EVENTS))
    transport: Transport | None = None

    def dispatch(self, event: str, data: Json) -> None:
        """Number an event, keep it for replay, and send it if a client is connected."""
        self.sequence += 1
        payload: Json = {"op": int(Op.DISPATCH), "t": event, "s": self.sequence, "d": data}
        self.replay.append(payload)
        if self.transport is not None:
            self.transport.send(payload)

    def missed_since(self, sequence: int) -> list[Json] | None:
        """Return the events after ``sequence``, or None if some of them are no longer kept."""
        if sequence > self.sequence:
            return None
        missed = [payload for payload in self.replay if payload["s"] > sequence]
        return missed if len(missed) == self.sequence - sequence else None


class Gateway:
    """Sends every event to all sessions whose intents include it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.sessions: dict[str, Session] = {}
        self.transports: set[Transport] = set()
        self.on_status: Callable[[], None] = lambda: None

    @property
    def bot_is_connected(self) -> bool:
        """Whether a session is identified and has a live connection."""
        return any(session.transport is not None for session in self.sessions.values())

    def open_session(self, intents: Intent, transport: Transport) -> Session:
        """Start a new session for a client that has identified."""
        session = Session(id=secrets.token_hex(16), intents=intents, transport=transport)
        self.sessions[session.id] = session
        self.journal.identifies += 1
        self.on_status()
        return session

    def detach(self, transport: Transport) -> None:
        """Note that a connection is gone; its session remains and can be resumed."""
        self.transports.discard(transport)
        for session in self.sessions.values():
            if session.transport is transport:
                session.transport = None
        self.on_status()

    def end(self, session: Session | None) -> None:
        """Remove a session; it can no longer be resumed."""
        if session is not None:
            self.sessions.pop(session.id, None)

    def dispatch(self, event: str, build: Callable[[int], Json], *, needs: Intent = NO_INTENT) -> None:
        """Send an event to the sessions that have the intents ``needs``; ``build`` receives a session's intents."""
        for session in self.sessions.values():
            if needs & session.intents == needs:
                session.dispatch(event, build(int(session.intents)))

    # Disturbances of the bot's connection, for tests.
    def drop(self) -> None:
        """Cut every connection without a closing handshake; sessions can be resumed."""
        for transport in list(self.transports):
            transport.abort()

    def ask_to_reconnect(self) -> None:
        """Send op 7: the client should reconnect and resume."""
        for transport in list(self.transports):
            transport.send({"op": int(Op.RECONNECT), "d": None, "s": None, "t": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Send op 9; without ``resumable`` the sessions end here and a resume will be rejected."""
        if not resumable:
            self.sessions.clear()
        for transport in list(self.transports):
            transport.send({"op": int(Op.INVALID_SESSION), "d": resumable, "s": None, "t": None})
