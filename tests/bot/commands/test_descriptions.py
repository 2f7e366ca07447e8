"""The descriptions of commands and options fit: discord.py cuts those beyond 100 characters without a word."""

from collections.abc import Iterator
from typing import Any

from discord import app_commands

from bot.commands.tree import COMMANDS


def descriptions(command: Any) -> Iterator[str]:
    if isinstance(command, app_commands.ContextMenu):
        return
    yield str(command.description)
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from descriptions(child)
    else:
        yield from (str(parameter.description) for parameter in command.parameters)


def test_no_description_is_cut_off() -> None:
    said = [text for command in COMMANDS for text in descriptions(command)]
    assert len(said) > 50
    assert [text for text in said if text.endswith("…")] == []
