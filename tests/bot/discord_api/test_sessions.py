"""The bot resumes a session if it has one, and otherwise identifies."""

from types import SimpleNamespace
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket

from bot.discord_api.sessions import identify_without_a_session


@pytest.mark.parametrize(
    ("session_id", "sequence", "sent"),
    [("a session", 7, DiscordWebSocket.RESUME), (None, None, "identify"), ("a session", None, "identify")],
)
async def test_a_connection_without_a_session_begins_anew(
    monkeypatch: pytest.MonkeyPatch, session_id: str | None, sequence: int | None, sent: int | str
) -> None:
    monkeypatch.setattr(DiscordWebSocket, "resume", DiscordWebSocket.resume)  # restored afterwards
    identify_without_a_session()
    heard: list[int | str] = []

    async def identify() -> None:
        heard.append("identify")

    async def send_as_json(payload: dict[str, Any]) -> None:
        heard.append(payload["op"])

    connection: Any = SimpleNamespace(
        session_id=session_id,
        sequence=sequence,
        token="a token",
        shard_id=None,
        RESUME=DiscordWebSocket.RESUME,
        identify=identify,
        send_as_json=send_as_json,
    )
    await DiscordWebSocket.resume(connection)
    assert heard == [sent]
