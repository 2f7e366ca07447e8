"""The memory of handled messages is bounded, and a known message displaces no other."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.messages import handled_messages
from bot.messages.handled_messages import HandledMessages


def test_a_known_message_drives_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled_messages, "_MAX_REMEMBERED", 2)
    messages = HandledMessages()
    first, second, third = (message(number) for number in (1, 2, 3))
    known = [messages.remember(first), messages.remember(second)]
    assert [messages.remember(first), messages.remember(second)] == known
    assert messages.remember(first) is known[0]
    messages.remember(third)  # displaces the oldest
    assert messages.remember(second) is known[1]
    assert messages.remember(first) is not known[0]


def message(message_id: int) -> Any:
    return SimpleNamespace(id=message_id)
