"""What a person reads when an interaction fails."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from discord import AppCommandType
from discord.app_commands import AppCommandError, CommandNotFound, CommandSignatureMismatch

from bot.commands.queue import queue
from bot.error_handler import answer_error
from bot.storage.trouble import StorageTrouble


class Person:
    """Reads the answers; ``broken`` counts the errors that the bot attributes to itself."""

    def __init__(self) -> None:
        self.read = ""
        self.broken = 0
        metrics = SimpleNamespace(refused=lambda _: None, errors=SimpleNamespace(inc=self._breaks))
        response = SimpleNamespace(type=None, is_done=lambda: False, send_message=self._reads)
        self.has_left = False  # whether the bot, not the person, is gone
        client = SimpleNamespace(metrics=metrics, is_closed=lambda: self.has_left)
        self.interaction: Any = SimpleNamespace(client=client, response=response, data={})

    def _breaks(self) -> None:
        self.broken += 1

    async def _reads(self, text: str, *, ephemeral: bool) -> None:
        assert ephemeral
        self.read = text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CommandNotFound("paint", []), "don't have this command any more"),
        (CommandNotFound("Paint over", [], AppCommandType.message), "don't have this command any more"),
        (CommandSignatureMismatch(queue), "type the command again"),
    ],
)
async def test_a_command_of_an_earlier_version_is_no_fault(error: AppCommandError, words: str) -> None:
    person = Person()
    await answer_error(person.interaction, error)
    assert words in person.read
    assert person.broken == 0


async def test_a_thread_that_was_closed_is_no_fault() -> None:
    person = Person()
    response: Any = SimpleNamespace(status=400, reason="Bad Request")
    await answer_error(person.interaction, discord.HTTPException(response, {"code": 50083, "message": "archived"}))
    assert "Discord won't let me do that here" in person.read
    assert person.broken == 0


@pytest.mark.parametrize("status", [429, 502, None])
async def test_discord_in_trouble_is_no_fault(status: int | None) -> None:
    person = Person()
    response: Any = SimpleNamespace(status=status, reason="trouble")
    page = "<!DOCTYPE html>"
    await answer_error(
        person.interaction, aiohttp.ClientError() if status is None else discord.HTTPException(response, page)
    )
    assert "Discord didn't answer me" in person.read
    assert person.broken == 0


async def test_a_disk_in_trouble_is_a_fault() -> None:
    person = Person()
    await answer_error(person.interaction, OSError("no space left on device"))
    assert person.broken == 1


async def test_what_the_end_of_the_bot_cuts_short_is_no_fault() -> None:
    person = Person()
    person.has_left = True
    await answer_error(person.interaction, RuntimeError("Session is closed"))
    assert person.read == ""
    assert person.broken == 0


async def test_a_disk_that_takes_nothing_is_in_the_log_as_the_person_is_told(caplog: pytest.LogCaptureFixture) -> None:
    person = Person()
    await answer_error(person.interaction, StorageTrouble("SQLITE_FULL: database or disk is full"))
    assert "the operator has been told" in person.read
    assert "SQLITE_FULL: database or disk is full" in caplog.text
