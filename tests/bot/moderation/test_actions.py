"""The list of pictures is bounded, however they are added: every picture is compared with all of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import Refused
from bot.moderation.actions import MAX_LISTED, MAX_TERMS_CHARACTERS, block_picture, require_room_for_term
from bot.storage.database import Database
from bot.storage.policies import Policies

SERVER = 2


async def test_a_full_list_takes_no_more(database: Database) -> None:
    rows = [(SERVER, f"{number:064x}", None, 0.0) for number in range(MAX_LISTED)]
    statement = "INSERT INTO blocked_pictures VALUES (?, ?, ?, ?)"
    await database.run(lambda connection: connection.executemany(statement, rows))
    policies = Policies(database)
    await policies.load()
    client: Any = SimpleNamespace(policies=policies)
    with pytest.raises(Refused, match="list_full"):
        await block_picture(client, SERVER, "https://cdn.discordapp.com/attachments/1/2/cat.jpg")
    assert len(policies.pictures(SERVER)) == MAX_LISTED


def test_a_list_of_words_is_bounded_by_its_characters_too() -> None:
    listed = ["x" * 50] * (MAX_TERMS_CHARACTERS // 50 - 1)
    require_room_for_term(listed, "x" * 50)
    with pytest.raises(Refused, match="terms_full"):
        require_room_for_term([*listed, "x"], "x" * 50)
    with pytest.raises(Refused, match="list_full"):
        require_room_for_term(["x"] * MAX_LISTED, "x")
